/* Engine and sites: built before attach, freed in any order, strip list, counters, maintenance. */
#include "fixture.h"

static int listed(const janua_str *names, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (same(names[i], name)) return 1;
    return 0;
}

int main(void) {
    struct users users;
    users_init(&users);
    janua_directory table = users_table(&users);
    janua_error err = error_new();
    janua_engine *engine = engine_with("mauro", &table, NULL);
    janua_site *site = site_of(engine), *other = NULL;

    /* The memory store serves one process and says so before anything forks. */
    CHECK_STATUS(janua_engine_check_workers(engine, 1, &err), JANUA_OK, err);
    CHECK(janua_engine_check_workers(engine, 2, &err) == JANUA_E_INVALID);
    CHECK(strstr(err.message, "store") != NULL);

    /* Nothing works before attach, and nothing is half done. */
    janua_request request = request_of("GET", "/api/models", NULL);
    janua_decision d = decision_new();
    CHECK(janua_decide(site, &request, JANUA_FAST, &d, &err) == JANUA_E_FORK);
    CHECK(err.reason == JANUA_REASON_NOT_ATTACHED);
    CHECK(d.outcome == JANUA_DENY && d.http_status == 503 && d.owner == NULL);
    CHECK(janua_maintain(engine, 1000, &err) == JANUA_E_FORK);
    CHECK(janua_revoke_principal(engine, JANUA_STR("u-aladdin"), &err) == JANUA_E_FORK);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);

    const janua_str *names = NULL;
    size_t count = 0;
    CHECK(janua_strip_list(engine, &names, &count) == JANUA_OK);
    CHECK(listed(names, count, "x_user") && listed(names, count, "x_roles"));
    CHECK(!listed(names, count, "X-User"));

    CHECK(janua_site_new(engine, JANUA_STR("no-such-profile"), view(NULL), 0, &other, &err) != JANUA_OK);
    CHECK(janua_site_new(engine, view(NULL), JANUA_STR("/x"), 0x80, &other, &err) == JANUA_E_INVALID);
    CHECK(other == NULL);
    CHECK_STATUS(janua_site_new(engine, JANUA_STR("mfiles"), view(NULL), JANUA_SITE_OPTIONAL, &other, &err),
                 JANUA_OK, err);
    NEED(other != NULL);

    /* Counters move with decisions. */
    char cookie[600];
    uint64_t before = janua_engine_count(engine, JANUA_REASON_LOGGED_IN);
    CHECK(janua_engine_sessions(engine) == 0);
    log_in(site, cookie, sizeof cookie);
    CHECK(janua_engine_count(engine, JANUA_REASON_LOGGED_IN) == before + 1);
    CHECK(janua_engine_sessions(engine) == 1);
    CHECK(janua_engine_count(engine, 4711) == 0);
    CHECK_STATUS(janua_maintain(engine, 1000, &err), JANUA_OK, err);
    CHECK_STATUS(janua_maintain(engine, 0, &err), JANUA_OK, err);

    /* A decision keeps its engine alive, whatever is freed before it. */
    janua_header header = {view("Cookie"), view(cookie)};
    request = request_of("GET", "/api/models", &header);
    CHECK_STATUS(janua_decide(site, &request, JANUA_FAST, &d, &err), JANUA_OK, err);
    janua_engine_free(engine);
    janua_site_free(other);
    janua_site_free(site);
    CHECK(users.destroyed == 0);
    CHECK(d.outcome == JANUA_ALLOW && same(d.principal, "u-aladdin"));
    janua_decision_clear(&d);
    CHECK(users.destroyed == 1);

    /* Engines come and go: each is whole, and none leaves its users behind. */
    users.destroyed = 0;
    for (int i = 0; i < (int)times(50); i++) {
        engine = engine_with("mauro", &table, NULL);
        CHECK(janua_engine_attach(engine, &err) == JANUA_OK);
        janua_engine_free(engine);
        CHECK(users.destroyed == i + 1);
    }
    return done("engine");
}
