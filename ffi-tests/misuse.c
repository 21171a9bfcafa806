/* What a host should not do: each mistake is answered, and none is followed. */
#include "fixture.h"

struct longer {
    janua_request request;
    uint64_t unknown;
};

struct longer_decision {
    janua_decision decision;
    uint64_t unknown;
};

static void nulls(janua_config *config, janua_engine *engine, janua_site *site) {
    janua_error err = error_new();
    janua_str s = JANUA_STR("x"), out = s, nothing = {NULL, 3};
    janua_decision d = decision_new();
    janua_proof proof = proof_new();
    janua_request request = request_of("GET", "/", NULL);
    char buf[JANUA_TOKEN_MAX];
    size_t len = 4;
    int32_t verdict = 4;
    const janua_str *names = &s;

    CHECK(janua_config_new(JANUA_ABI, NULL, &err) == JANUA_E_NULL);
    CHECK(strstr(err.message, "NULL") != NULL && err.status == JANUA_E_NULL);
    CHECK(janua_config_read_file(NULL, s, NULL) == JANUA_E_NULL);
    CHECK(janua_config_read_text(NULL, s, s, s, NULL) == JANUA_E_NULL);
    CHECK(janua_config_read_text(config, s, nothing, s, NULL) == JANUA_E_NULL);
    CHECK(janua_config_set(NULL, s, s, NULL) == JANUA_E_NULL);
    CHECK(janua_config_set(config, nothing, s, NULL) == JANUA_E_NULL);
    CHECK(janua_config_set_directory(config, NULL, NULL) == JANUA_E_NULL);
    CHECK(janua_config_set_audit(config, NULL, NULL) == JANUA_E_NULL);
    CHECK(janua_engine_new(NULL, &engine, NULL) == JANUA_E_NULL);
    CHECK(janua_engine_new(config, NULL, NULL) == JANUA_E_NULL); /* and the configuration is still whole: */
    CHECK(janua_config_set(config, JANUA_STR("engine.site"), JANUA_STR("data.test"), &err) == JANUA_OK);
    CHECK(janua_engine_attach(NULL, NULL) == JANUA_E_NULL);
    CHECK(janua_engine_check_workers(NULL, 1, NULL) == JANUA_E_NULL);
    CHECK(janua_maintain(NULL, 1, NULL) == JANUA_E_NULL);
    CHECK(janua_strip_list(NULL, &names, &len) == JANUA_E_NULL);
    CHECK(janua_strip_list(engine, NULL, &len) == JANUA_E_NULL);
    CHECK(janua_strip_list(engine, &names, NULL) == JANUA_E_NULL);
    CHECK(names == &s && len == 4);
    CHECK(janua_revoke_principal(NULL, s, NULL) == JANUA_E_NULL);
    CHECK(janua_revoke_principal(engine, view(NULL), NULL) == JANUA_E_INVALID);
    CHECK(janua_engine_count(NULL, 1) == 0 && janua_engine_sessions(NULL) == 0);
    CHECK(janua_site_new(NULL, s, s, 0, &site, NULL) == JANUA_E_NULL);
    CHECK(janua_site_new(engine, view(NULL), view(NULL), 0, NULL, NULL) == JANUA_E_NULL);
    CHECK(janua_decide(NULL, &request, 0, &d, NULL) == JANUA_E_NULL);
    CHECK(d.outcome == JANUA_DENY && d.http_status == 500);
    CHECK(janua_decide(site, NULL, 0, &d, NULL) == JANUA_E_NULL);
    CHECK(janua_decide(site, &request, 0, NULL, NULL) == JANUA_E_NULL);
    CHECK(janua_session_create(NULL, s, s, buf, sizeof buf, &len, NULL) == JANUA_E_NULL);
    CHECK(janua_session_create(site, s, s, NULL, 9, &len, NULL) == JANUA_E_NULL);
    CHECK(janua_session_create(site, s, s, buf, sizeof buf, NULL, NULL) == JANUA_E_NULL);
    CHECK(janua_session_check(NULL, s, 0, buf, sizeof buf, &proof, NULL) == JANUA_E_NULL);
    CHECK(janua_session_check(site, s, 0, buf, sizeof buf, NULL, NULL) == JANUA_E_NULL);
    CHECK(janua_session_revoke(NULL, s, NULL) == JANUA_E_NULL);
    CHECK(janua_token_issue(NULL, s, s, s, s, 0, buf, sizeof buf, &len, NULL) == JANUA_E_NULL);
    CHECK(janua_token_check(NULL, s, s, 0, buf, sizeof buf, &proof, NULL) == JANUA_E_NULL);
    CHECK(janua_token_revoke(NULL, s, s, NULL) == JANUA_E_NULL);
    CHECK(janua_password_hash(s, NULL, 1, &len, NULL) == JANUA_E_NULL);
    CHECK(janua_password_verify(nothing, s, &verdict, NULL) == JANUA_E_NULL);
    CHECK(janua_parse_bearer(nothing, &out) == JANUA_E_NULL);
    CHECK(len == 4 && verdict == 4 && out.ptr == s.ptr);

    janua_config_free(NULL);
    janua_engine_free(NULL);
    janua_site_free(NULL);
    janua_decision_clear(NULL);
}

static void sizes(const janua_site *site) {
    janua_error err = error_new();
    struct longer_decision big;
    struct longer request;
    memset(&request, 0, sizeof request);
    request.request = request_of("GET", "/api/models", NULL);
    memset(&big, 0, sizeof big);
    big.decision.size = sizeof big.decision;
    janua_decision *d = &big.decision;

    const size_t wrong[] = {0, 1, 7, 8, sizeof(janua_request) - 1, sizeof(janua_request) - 8, 4104, (size_t)-1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        request.request.size = wrong[i];
        CHECK(janua_decide(site, &request.request, 0, d, &err) == JANUA_E_INVALID);
        CHECK(strstr(err.message, "janua_request") != NULL && d->outcome == JANUA_DENY && d->owner == NULL);
    }
    /* A newer header: fine while what we do not know is zero. */
    request.request.size = sizeof request;
    CHECK_STATUS(janua_decide(site, &request.request, JANUA_FAST, d, &err), JANUA_OK, err);
    janua_decision_clear(d);
    request.unknown = (uint64_t)1 << 63;
    CHECK(janua_decide(site, &request.request, JANUA_FAST, d, &err) == JANUA_E_INVALID);
    request.request.size = sizeof request.request;

    const size_t bad[] = {0, 8, sizeof(janua_decision) - 8, sizeof(janua_decision) + 1, 100000};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&big, 0x5a, sizeof big);
        big.decision.size = bad[i];
        CHECK(janua_decide(site, &request.request, JANUA_FAST, d, &err) == JANUA_E_INVALID);
        CHECK(d->outcome == 0x5a5a5a5a); /* what has no size is not written */
        janua_decision_clear(d);
    }
    memset(&big, 0x5a, sizeof big);
    big.decision.size = sizeof big;
    CHECK_STATUS(janua_decide(site, &request.request, JANUA_FAST, d, &err), JANUA_OK, err);
    CHECK(d->size == sizeof big && big.unknown == 0);
    janua_decision_clear(d);
    CHECK(d->size == sizeof big && d->owner == NULL);
    janua_decision_clear(d); /* twice is once */

    /* An error that is short gets what fits, one without a size gets nothing. */
    janua_error small;
    memset(&small, 0x5a, sizeof small);
    small.size = 24;
    CHECK(janua_maintain(NULL, 0, &small) == JANUA_E_NULL);
    CHECK(small.status == JANUA_E_NULL && small.message[7] == '\0' && small.message[8] == 0x5a);
    memset(&small, 0x5a, sizeof small);
    small.size = 0;
    CHECK(janua_maintain(NULL, 0, &small) == JANUA_E_NULL && small.status == 0x5a5a5a5a);
}

static void values(janua_engine *engine, janua_site *site) {
    janua_error err = error_new();
    janua_decision d = decision_new();
    janua_request request = request_of("GET", "/api/models", NULL);

    CHECK(janua_decide(site, &request, 0x80000000u, &d, &err) == JANUA_E_INVALID);
    request.flags = 0x100;
    CHECK(janua_decide(site, &request, 0, &d, &err) == JANUA_E_INVALID);
    request.flags = JANUA_REQUEST_BODY_GIVEN | JANUA_REQUEST_BODY_TOO_LARGE;
    CHECK(janua_decide(site, &request, 0, &d, &err) == JANUA_E_INVALID);
    request.flags = 0;
    request.body = view("forgotten flag");
    CHECK(janua_decide(site, &request, 0, &d, &err) == JANUA_E_INVALID);
    request.body = view(NULL);
    request.headers_len = 1;
    CHECK(janua_decide(site, &request, 0, &d, &err) == JANUA_E_NULL);
    janua_header header = {view("X"), {NULL, 1}};
    request.headers = &header;
    CHECK(janua_decide(site, &request, 0, &d, &err) == JANUA_E_NULL);
    request.headers = (const janua_header *)((const char *)&header + 1);
    CHECK(janua_decide(site, &request, 0, &d, &err) == JANUA_E_INVALID);
    request.headers = &header;
    header.value = view("");
    header.name.len = (size_t)-1;
    CHECK(janua_decide(site, &request, 0, &d, &err) == JANUA_E_INVALID);
    CHECK(d.outcome == JANUA_DENY && d.owner == NULL);

    /* One object for another. */
    CHECK(janua_engine_attach((janua_engine *)site, &err) == JANUA_E_INVALID);
    CHECK(strstr(err.message, "janua_engine") != NULL);
    CHECK(janua_decide((janua_site *)engine, &request, 0, &d, &err) == JANUA_E_INVALID);
    CHECK(janua_user_set((janua_user *)engine, JANUA_STR("id"), JANUA_STR("x")) == JANUA_E_INVALID);
    CHECK(janua_engine_count((janua_engine *)site, 1) == 0);
    janua_engine_free((janua_engine *)site);
    janua_site_free((janua_site *)engine);

    janua_decision zero;
    memset(&zero, 0, sizeof zero);
    janua_decision_clear(&zero);
}

int main(void) {
    struct users users;
    users_init(&users);
    janua_directory table = users_table(&users);
    janua_error err = error_new();
    janua_engine *engine = engine_with("mauro", &table, NULL);
    janua_site *site = site_of(engine);
    janua_config *config = NULL;
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    CHECK_STATUS(janua_config_new(JANUA_ABI, &config, &err), JANUA_OK, err);

    nulls(config, engine, site);
    sizes(site);
    values(engine, site);

    /* A table without its function, with a wrong size, from a newer header. */
    janua_directory broken = users_table(&users);
    broken.lookup = NULL;
    CHECK(janua_config_set_directory(config, &broken, &err) == JANUA_E_NULL);
    broken = users_table(&users);
    broken.size = 8;
    CHECK(janua_config_set_directory(config, &broken, &err) == JANUA_E_INVALID);
    CHECK(users.destroyed == 0);
    janua_config_free(config);
    CHECK(users.destroyed == 0);

    janua_site_free(site);
    janua_engine_free(engine);
    CHECK(users.destroyed == 1);
    return done("misuse");
}
