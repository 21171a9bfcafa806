/* The token primitives: sealed, opened, bound to their purpose, revoked. */
#include "fixture.h"

int main(void) {
    struct users users;
    users_init(&users);
    janua_directory table = users_table(&users);
    janua_error err = error_new();
    janua_engine *engine = engine_with("mfiles", &table, NULL);
    janua_site *site = site_of(engine);
    char token[JANUA_TOKEN_MAX], buf[512];
    size_t len = 0;
    janua_proof proof = proof_new();
    const janua_str download = JANUA_STR("download"), nobody = view(NULL), aladdin = JANUA_STR("u-aladdin");

    CHECK(janua_token_issue(site, download, aladdin, nobody, nobody, 0, token, sizeof token, &len, &err) == JANUA_E_FORK);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    CHECK(janua_token_issue(site, download, aladdin, nobody, nobody, 0, token, 10, &len, &err) == JANUA_E_TOO_SMALL);
    CHECK(len > 10 && len <= JANUA_TOKEN_MAX);
    CHECK(janua_token_issue(site, download, nobody, nobody, nobody, 0, token, sizeof token, &len, &err) == JANUA_E_INVALID);
    CHECK(janua_token_issue(site, nobody, aladdin, nobody, nobody, 0, token, sizeof token, &len, &err) == JANUA_E_INVALID);
    CHECK(janua_token_issue(site, download, aladdin, nobody, nobody, -1, token, sizeof token, &len, &err) == JANUA_E_INVALID);
    CHECK(janua_token_issue(site, download, aladdin, nobody, nobody, 1000, token, sizeof token, &len, &err) == JANUA_E_INVALID);

    CHECK_STATUS(janua_token_issue(site, download, aladdin, nobody, JANUA_STR("1"), 0, token, sizeof token, &len, &err),
                 JANUA_OK, err);
    CHECK(len == 199);
    janua_str made = {token, len};
    CHECK_STATUS(janua_token_check(site, download, made, JANUA_FAST, buf, sizeof buf, &proof, &err), JANUA_OK, err);
    CHECK(same(proof.principal, "u-aladdin") && proof.last_used == 0 && proof.idle_end == 0);
    CHECK(proof.issued > 1600000000 && proof.absolute_end > proof.issued);
    CHECK(janua_token_check(site, download, made, 0, buf, 3, &proof, &err) == JANUA_E_TOO_SMALL);
    CHECK(proof.text_len >= 9);
    CHECK(janua_token_check(site, download, made, 0x40, buf, sizeof buf, &proof, &err) == JANUA_E_INVALID);

    /* Another purpose, one character changed, one cut off: never good. */
    CHECK(janua_token_check(site, JANUA_STR("upload"), made, 0, buf, sizeof buf, &proof, &err) == JANUA_E_REFUSED);
    for (size_t i = 0; i < len; i += 7) {
        char kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';
        janua_status status = janua_token_check(site, download, made, 0, buf, sizeof buf, &proof, &err);
        CHECK(status == JANUA_E_REFUSED || status == JANUA_E_MALFORMED);
        token[i] = kept;
    }
    janua_str cut = {token, len - 1};
    CHECK(janua_token_check(site, download, cut, 0, buf, sizeof buf, &proof, &err) == JANUA_E_MALFORMED);
    CHECK(janua_token_check(site, download, nobody, 0, buf, sizeof buf, &proof, &err) == JANUA_E_MALFORMED);

    CHECK_STATUS(janua_token_revoke(site, download, made, &err), JANUA_OK, err);
    CHECK(janua_token_check(site, download, made, 0, buf, sizeof buf, &proof, &err) == JANUA_E_REFUSED);
    CHECK(err.reason == JANUA_REASON_TOKEN_REVOKED);

    /* Without a session id a token cannot be ended alone, but with its principal. */
    CHECK_STATUS(janua_token_issue(site, download, aladdin, nobody, nobody, 0, token, sizeof token, &len, &err), JANUA_OK, err);
    made.len = len;
    CHECK(janua_token_revoke(site, download, made, &err) == JANUA_E_REFUSED);
    CHECK_STATUS(janua_token_check(site, download, made, 0, buf, sizeof buf, &proof, &err), JANUA_OK, err);
    CHECK_STATUS(janua_revoke_principal(engine, aladdin, &err), JANUA_OK, err);
    CHECK(janua_token_check(site, download, made, 0, buf, sizeof buf, &proof, &err) == JANUA_E_REFUSED);

    janua_site_free(site);
    janua_engine_free(engine);
    return done("token");
}
