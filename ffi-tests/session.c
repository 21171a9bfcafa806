/* The session primitives: made, looked at, used, ended. */
#include "fixture.h"

int main(void) {
    struct users users;
    users_init(&users);
    janua_directory table = users_table(&users);
    janua_error err = error_new();
    janua_engine *engine = engine_with("form", &table, NULL);
    janua_site *site = site_of(engine);
    char id[JANUA_SESSION_ID_MAX], second[JANUA_SESSION_ID_MAX], buf[512];
    size_t len = 0, second_len = 0;
    janua_proof proof = proof_new();

    CHECK(janua_session_create(site, JANUA_STR("u-aladdin"), view(NULL), id, sizeof id, &len, &err) == JANUA_E_FORK);
    CHECK(janua_session_check(site, JANUA_STR("x"), 0, buf, sizeof buf, &proof, &err) == JANUA_E_FORK);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);

    /* An id that would not fit is not made. */
    CHECK(janua_session_create(site, JANUA_STR("u-aladdin"), view(NULL), id, 20, &len, &err) == JANUA_E_TOO_SMALL);
    CHECK(len == JANUA_SESSION_ID_MAX && janua_engine_sessions(engine) == 0);
    CHECK(janua_session_create(site, view(NULL), view(NULL), id, sizeof id, &len, &err) == JANUA_E_INVALID);

    CHECK_STATUS(janua_session_create(site, JANUA_STR("u-aladdin"), view(NULL), id, sizeof id, &len, &err), JANUA_OK, err);
    CHECK_STATUS(janua_session_create(site, JANUA_STR("u-aladdin"), view(NULL), second, sizeof second, &second_len, &err),
                 JANUA_OK, err);
    CHECK(len >= 20 && len == second_len && memcmp(id, second, len) != 0);
    CHECK(janua_engine_sessions(engine) == 2);

    janua_str one = {id, len}, two = {second, second_len};
    CHECK_STATUS(janua_session_check(site, one, JANUA_PEEK, buf, sizeof buf, &proof, &err), JANUA_OK, err);
    CHECK(same(proof.principal, "u-aladdin") && proof.tenant.len == 0 && proof.session_ref.len == 32);
    CHECK(proof.principal.ptr >= buf && proof.principal.ptr < buf + sizeof buf);
    CHECK(proof.text_len == proof.principal.len + proof.session_ref.len);
    CHECK(proof.issued > 1600000000 && proof.idle_end >= proof.issued && proof.absolute_end > proof.idle_end);
    CHECK(memcmp(proof.session_ref.ptr, id, 8) != 0);
    CHECK_STATUS(janua_session_check(site, one, JANUA_FAST, buf, sizeof buf, &proof, &err), JANUA_OK, err);

    /* Too small a buffer: the length needed, and nothing else. */
    janua_proof small = proof_new();
    CHECK(janua_session_check(site, one, 0, buf, 10, &small, &err) == JANUA_E_TOO_SMALL);
    CHECK(small.text_len == proof.text_len && small.issued == 0 && small.principal.len == 0);
    CHECK(janua_session_check(site, one, 0, NULL, 0, &small, &err) == JANUA_E_TOO_SMALL);
    CHECK(janua_session_check(site, one, 0x40, buf, sizeof buf, &small, &err) == JANUA_E_INVALID);

    /* Not an id, not a session, no session any more: three answers, and the outputs stay. */
    small.issued = 42;
    CHECK(janua_session_check(site, JANUA_STR("no"), 0, buf, sizeof buf, &small, &err) == JANUA_E_MALFORMED);
    char unknown[JANUA_SESSION_ID_MAX];
    memset(unknown, 'A', len);
    janua_str stranger = {unknown, len};
    CHECK(janua_session_check(site, stranger, 0, buf, sizeof buf, &small, &err) == JANUA_E_NOT_FOUND);
    CHECK(err.reason == JANUA_REASON_SESSION_UNKNOWN);
    CHECK_STATUS(janua_session_revoke(site, one, &err), JANUA_OK, err);
    CHECK_STATUS(janua_session_revoke(site, one, &err), JANUA_OK, err);
    CHECK_STATUS(janua_session_revoke(site, stranger, &err), JANUA_OK, err);
    janua_status status = janua_session_check(site, one, 0, buf, sizeof buf, &small, &err);
    CHECK(status == JANUA_E_REFUSED || status == JANUA_E_NOT_FOUND);
    CHECK(small.issued == 42);

    /* Log out everywhere takes the other one too, and only what was made before. */
    CHECK_STATUS(janua_session_check(site, two, 0, buf, sizeof buf, &proof, &err), JANUA_OK, err);
    CHECK_STATUS(janua_revoke_principal(engine, JANUA_STR("u-aladdin"), &err), JANUA_OK, err);
    CHECK(janua_session_check(site, two, 0, buf, sizeof buf, &proof, &err) != JANUA_OK);
    CHECK_STATUS(janua_session_create(site, JANUA_STR("u-aladdin"), view(NULL), id, sizeof id, &len, &err), JANUA_OK, err);
    one.len = len;
    CHECK_STATUS(janua_session_check(site, one, 0, buf, sizeof buf, &proof, &err), JANUA_OK, err);

    janua_site_free(site);
    janua_engine_free(engine);
    return done("session");
}
