/* The host's directory: every key of a user, what a callback may answer, and that destroy runs once. */
#include "fixture.h"

struct host {
    struct users users;
    int32_t verdict;
    janua_status answer;
    janua_status last_set;
};

static janua_status lookup(void *ctx, janua_str name, janua_user *out) {
    struct host *host = ctx;
    if (host->answer != JANUA_OK) return host->answer;
    if (!same(name, "aladdin") && !same(name, "u-aladdin")) return JANUA_E_NOT_FOUND;
    const char *const values[][2] = {
        {"id", "u-aladdin"}, {"name", "Aladdin"}, {"full_name", "Aladdin"}, {"email", "someName@test.com"},
        {"generation", "7"}, {"disabled", "false"}, {"pending", "0"}, {"must_change", "1"},
        {"role", "administrator"}, {"role", "reader"}, {"tenant", "{C840BE1A-5B47-4AC0-8EF7-835C166C8E24}"},
        {"attr.firstName", "Aladdin"},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        CHECK(janua_user_set(out, view(values[i][0]), view(values[i][1])) == JANUA_OK);
    janua_str hash = {host->users.hash, host->users.hash_len};
    CHECK(janua_user_set(out, view("hash"), hash) == JANUA_OK);
    return JANUA_OK;
}

static janua_status check(void *ctx, janua_str name, janua_str password, int32_t *verdict) {
    struct host *host = ctx;
    host->users.checks++;
    CHECK(same(name, "Aladdin") || same(name, "aladdin"));
    if (host->answer != JANUA_OK) return host->answer;
    *verdict = same(password, "My Password") ? host->verdict : JANUA_PASSWORD_WRONG;
    return JANUA_OK;
}

static void destroy(void *ctx) { ((struct host *)ctx)->users.destroyed++; }

/* Logs in with that password; returns the status of the answer. */
static int login(const janua_site *site, const char *user, const char *password, uint32_t *reason) {
    char body[200];
    snprintf(body, sizeof body, "{\"username\":\"%s\",\"password\":\"%s\"}", user, password);
    janua_header json = json_type();
    janua_request request = login_of(body, &json);
    janua_decision d = decision_new();
    janua_error err = error_new();
    CHECK_STATUS(janua_decide(site, &request, 0, &d, &err), JANUA_OK, err);
    CHECK(d.outcome == JANUA_ANSWER || d.outcome == JANUA_DENY);
    if (d.http_status == 200) CHECK(same(d.principal, "u-aladdin") && holds(d.body, "u-aladdin"));
    *reason = d.reason;
    int status = d.http_status;
    janua_decision_clear(&d);
    return status;
}

int main(void) {
    struct host host;
    memset(&host, 0, sizeof host);
    users_init(&host.users);
    janua_directory table = {sizeof table, &host, lookup, NULL, destroy};
    janua_error err = error_new();
    uint32_t reason = 0;

    /* By hash. */
    janua_engine *engine = engine_with("mauro", &table, NULL);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    janua_site *site = site_of(engine);
    memset(&table, 0, sizeof table); /* the table was copied */
    CHECK(login(site, "Aladdin", "OpenSesame", &reason) == 200);
    CHECK(login(site, "Aladdin", "My Password", &reason) == 401 && reason == JANUA_REASON_WRONG_PASSWORD);
    CHECK(login(site, "someName", "pw", &reason) == 401 && reason == JANUA_REASON_UNKNOWN_USER);
    janua_site_free(site);
    janua_engine_free(engine);
    CHECK(host.users.destroyed == 1);

    /* An unavailable directory is not a wrong password. */
    table = (janua_directory){sizeof table, &host, lookup, NULL, destroy};
    host.answer = JANUA_E_UNAVAILABLE;
    engine = engine_with("mauro", &table, NULL);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    site = site_of(engine);
    CHECK(login(site, "Aladdin", "OpenSesame", &reason) == 503 && reason == JANUA_REASON_DIRECTORY_UNAVAILABLE);
    host.answer = JANUA_OK;
    CHECK(login(site, "Aladdin", "OpenSesame", &reason) == 200);
    janua_site_free(site);
    janua_engine_free(engine);
    CHECK(host.users.destroyed == 2);

    /* The host verifies by itself. */
    table.check = check;
    host.verdict = JANUA_PASSWORD_RIGHT;
    engine = engine_with("mauro", &table, NULL);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    site = site_of(engine);
    CHECK(login(site, "Aladdin", "My Password", &reason) == 200);
    CHECK(host.users.checks > 0);
    CHECK(login(site, "Aladdin", "OpenSesame", &reason) == 401 && reason == JANUA_REASON_WRONG_PASSWORD);
    janua_site_free(site);
    janua_engine_free(engine);
    CHECK(host.users.destroyed == 3);

    CHECK(janua_user_set(NULL, JANUA_STR("id"), JANUA_STR("x")) == JANUA_E_NULL);
    return done("user");
}
