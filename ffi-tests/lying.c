/* Callbacks that lie: whatever they say, nobody gets in by it and nothing breaks. */
#include "fixture.h"

enum lie {
    UNKNOWN_ANSWER, POSITIVE_ANSWER, WRITES_NOTHING, WITHOUT_HASH, UNKNOWN_KEY, KEY_TWICE, TOO_LONG, TOO_MANY,
    BAD_NUMBER, BAD_TRUTH, NUL_INSIDE, NOT_UTF8, NULL_VALUE, UNREADABLE_HASH, SETS_AND_DENIES, LIES
};

struct liar {
    struct users users;
    enum lie lie;
    const janua_site *site;
    janua_engine *engine;
    int reentered;
    int32_t verdict;
    janua_status status;
};

static void well(struct liar *liar, janua_user *out) {
    janua_str hash = {liar->users.hash, liar->users.hash_len};
    janua_user_set(out, JANUA_STR("id"), JANUA_STR("u-aladdin"));
    janua_user_set(out, JANUA_STR("hash"), hash);
}

static janua_status lookup(void *ctx, janua_str name, janua_user *out) {
    struct liar *liar = ctx;
    static char huge[5000];
    (void)name;
    memset(huge, 'x', sizeof huge);
    if (liar->lie != WRITES_NOTHING && liar->lie != WITHOUT_HASH && liar->lie != UNREADABLE_HASH) well(liar, out);
    switch (liar->lie) {
    case UNKNOWN_ANSWER: return -4711;
    case POSITIVE_ANSWER: return 1;
    case WRITES_NOTHING: return JANUA_OK;
    case WITHOUT_HASH: janua_user_set(out, JANUA_STR("id"), JANUA_STR("u-aladdin")); break;
    case UNKNOWN_KEY: CHECK(janua_user_set(out, JANUA_STR("rolle"), JANUA_STR("x")) == JANUA_E_INVALID); break;
    case KEY_TWICE: CHECK(janua_user_set(out, JANUA_STR("id"), JANUA_STR("u-joe")) == JANUA_E_INVALID); break;
    case TOO_LONG: {
        janua_str value = {huge, sizeof huge};
        CHECK(janua_user_set(out, JANUA_STR("full_name"), value) == JANUA_E_INVALID);
        break;
    }
    case TOO_MANY: {
        janua_status last = JANUA_OK;
        for (int i = 0; i < 2000; i++) last = janua_user_set(out, JANUA_STR("role"), JANUA_STR("r"));
        CHECK(last == JANUA_E_INVALID);
        break;
    }
    case BAD_NUMBER: CHECK(janua_user_set(out, JANUA_STR("generation"), JANUA_STR("-1")) == JANUA_E_INVALID); break;
    case BAD_TRUTH: CHECK(janua_user_set(out, JANUA_STR("disabled"), JANUA_STR("maybe")) == JANUA_E_INVALID); break;
    case NUL_INSIDE: CHECK(janua_user_set(out, JANUA_STR("email"), JANUA_STR("a\0b")) == JANUA_E_INVALID); break;
    case NOT_UTF8: CHECK(janua_user_set(out, JANUA_STR("email"), JANUA_STR("\xff")) == JANUA_E_INVALID); break;
    case NULL_VALUE: {
        janua_str nothing = {NULL, 5};
        CHECK(janua_user_set(out, JANUA_STR("email"), nothing) == JANUA_E_NULL);
        break;
    }
    case UNREADABLE_HASH:
        janua_user_set(out, JANUA_STR("id"), JANUA_STR("u-aladdin"));
        janua_user_set(out, JANUA_STR("hash"), JANUA_STR("$argon2id$v=19$m=4294967295,t=1,p=1$AAAA$AAAA"));
        break;
    case SETS_AND_DENIES: return JANUA_E_NOT_FOUND;
    case LIES: break;
    }
    return JANUA_OK;
}

/* Calls back into everything it should leave alone. */
static janua_status reenter(void *ctx, janua_str name, janua_user *out) {
    struct liar *liar = ctx;
    janua_error err = error_new();
    janua_decision d = decision_new();
    janua_request request = request_of("GET", "/api/models", NULL);
    janua_config *config = NULL;
    int32_t verdict = 0;
    janua_str hash = {liar->users.hash, liar->users.hash_len};
    (void)name;
    liar->reentered++;
    CHECK(janua_decide(liar->site, &request, 0, &d, &err) == JANUA_E_INVALID);
    CHECK(strstr(err.message, "callback") != NULL && d.owner == NULL);
    CHECK(janua_maintain(liar->engine, 1000, &err) == JANUA_E_INVALID);
    CHECK(janua_revoke_principal(liar->engine, JANUA_STR("u-aladdin"), &err) == JANUA_E_INVALID);
    CHECK(janua_config_new(JANUA_ABI, &config, &err) == JANUA_E_INVALID);
    CHECK(janua_engine_sessions(liar->engine) == 0);
    janua_engine_free(liar->engine); /* does nothing here */
    janua_site_free((janua_site *)liar->site);
    /* The primitives without an engine are free to use. */
    CHECK(janua_password_verify(hash, JANUA_STR("OpenSesame"), &verdict, &err) == JANUA_OK);
    CHECK(verdict == JANUA_PASSWORD_RIGHT);
    well(liar, out);
    return JANUA_OK;
}

static janua_status check(void *ctx, janua_str name, janua_str password, int32_t *verdict) {
    struct liar *liar = ctx;
    (void)name, (void)password;
    if (liar->verdict != 0) *verdict = liar->verdict;
    return liar->status;
}

static void destroy(void *ctx) { ((struct liar *)ctx)->users.destroyed++; }

static janua_status login(const janua_site *site, janua_decision *d) {
    janua_header json = json_type();
    janua_request request = login_of(GOOD_LOGIN, &json);
    janua_error err = error_new();
    return janua_decide(site, &request, 0, d, &err);
}

/* Builds an engine over the table, logs in once, and returns what came of it. */
static uint16_t once(struct liar *liar, janua_directory table, uint32_t *reason) {
    janua_error err = error_new();
    janua_decision d = decision_new();
    int destroyed = liar->users.destroyed;
    liar->engine = engine_with("mauro", &table, NULL);
    CHECK_STATUS(janua_engine_attach(liar->engine, &err), JANUA_OK, err);
    janua_site *site = site_of(liar->engine);
    liar->site = site;
    CHECK(login(site, &d) == JANUA_OK);
    CHECK(d.outcome != JANUA_ALLOW);
    uint16_t status = d.http_status;
    *reason = d.reason;
    if (status != 200) CHECK(header_of(d.response, d.response_len, "Set-Cookie").len == 0 && d.principal.len == 0);
    janua_decision_clear(&d);
    janua_site_free(site);
    janua_engine_free(liar->engine);
    CHECK(liar->users.destroyed == destroyed + 1);
    return status;
}

int main(void) {
    struct liar liar;
    uint32_t reason = 0;
    memset(&liar, 0, sizeof liar);
    users_init(&liar.users);
    janua_directory table = {sizeof table, &liar, lookup, NULL, destroy};

    for (int lie = 0; lie < LIES; lie++) {
        liar.lie = (enum lie)lie;
        uint16_t status = once(&liar, table, &reason);
        CHECK(status == 401 || status == 503);
        int refused = lie == WITHOUT_HASH || lie == UNREADABLE_HASH || lie == SETS_AND_DENIES;
        if (!refused && (status != 503 || reason != JANUA_REASON_DIRECTORY_UNAVAILABLE))
            fprintf(stderr, "lie %d: %u, reason %u\n", lie, status, reason);
        CHECK(refused || (status == 503 && reason == JANUA_REASON_DIRECTORY_UNAVAILABLE));
    }
    liar.lie = LIES;
    CHECK(once(&liar, table, &reason) == 200); /* the truth still works */

    table.lookup = reenter;
    CHECK(once(&liar, table, &reason) == 200);
    CHECK(liar.reentered > 0);

    table.lookup = lookup;
    table.check = check;
    const struct { janua_status status; int32_t verdict; uint16_t answer; } checks[] = {
        {JANUA_OK, JANUA_PASSWORD_RIGHT, 200}, {JANUA_OK, 0, 401}, {JANUA_OK, 7, 503}, {JANUA_OK, -1, 503},
        {JANUA_E_NOT_FOUND, 1, 401}, {JANUA_E_UNAVAILABLE, 1, 503}, {1, 1, 503}, {-4711, 1, 503},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        liar.status = checks[i].status;
        liar.verdict = checks[i].verdict;
        CHECK(once(&liar, table, &reason) == checks[i].answer);
    }
    return done("lying");
}
