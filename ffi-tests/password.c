/* The password primitives. */
#include "fixture.h"

int main(void) {
    janua_error err = error_new();
    char hash[256], other[256];
    size_t len = 0, needed = 0;
    int32_t verdict = -1;

    CHECK(janua_password_hash(JANUA_STR("OpenSesame"), NULL, 0, &needed, &err) == JANUA_E_TOO_SMALL);
    CHECK(needed > 60 && needed < sizeof hash);
    memset(hash, '.', sizeof hash);
    CHECK(janua_password_hash(JANUA_STR("OpenSesame"), hash, needed - 1, &len, &err) == JANUA_E_TOO_SMALL);
    CHECK(len == needed && hash[0] == '.');
    CHECK_STATUS(janua_password_hash(JANUA_STR("OpenSesame"), hash, sizeof hash, &len, &err), JANUA_OK, err);
    CHECK(len == needed && memcmp(hash, "$argon2id$", 10) == 0 && hash[len] == '.');
    CHECK(janua_password_hash(JANUA_STR("OpenSesame"), other, sizeof other, &len, &err) == JANUA_OK);
    CHECK(memcmp(hash, other, len) != 0); /* a new salt */

    janua_str made = {hash, len};
    CHECK_STATUS(janua_password_verify(made, JANUA_STR("OpenSesame"), &verdict, &err), JANUA_OK, err);
    CHECK(verdict == JANUA_PASSWORD_RIGHT);
    CHECK(janua_password_verify(made, JANUA_STR("opensesame"), &verdict, &err) == JANUA_OK);
    CHECK(verdict == JANUA_PASSWORD_WRONG);
    CHECK(janua_password_verify(made, view(NULL), &verdict, &err) == JANUA_OK && verdict == JANUA_PASSWORD_WRONG);

    /* An older kind is right, and stale. */
    janua_str bcrypt = JANUA_STR("$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"); /* empty password */
    CHECK_STATUS(janua_password_verify(bcrypt, JANUA_STR(""), &verdict, &err), JANUA_OK, err);
    CHECK(verdict == JANUA_PASSWORD_RIGHT_STALE);

    /* Refused: weak, unknown, no text, longer than the hash can tell apart. The verdict is not touched. */
    verdict = 77;
    CHECK(janua_password_verify(JANUA_STR("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="), JANUA_STR("password"), &verdict, &err) == JANUA_E_REFUSED);
    CHECK(err.reason == JANUA_REASON_HASH_NOT_ALLOWED);
    CHECK(janua_password_verify(JANUA_STR("OpenSesame"), JANUA_STR("OpenSesame"), &verdict, &err) == JANUA_E_REFUSED);
    CHECK(janua_password_verify(JANUA_STR("\xff"), JANUA_STR("x"), &verdict, &err) == JANUA_E_INVALID);
    char text[80];
    memset(text, 'a', sizeof text);
    janua_str over = {text, 73};
    CHECK(janua_password_verify(bcrypt, over, &verdict, &err) == JANUA_E_REFUSED);
    CHECK(err.reason == JANUA_REASON_PASSWORD_TOO_LONG);
    CHECK(verdict == 77);
    CHECK(janua_password_verify(made, JANUA_STR("x"), NULL, &err) == JANUA_E_NULL);
    CHECK(janua_password_hash(JANUA_STR("a\0b"), hash, sizeof hash, &len, &err) == JANUA_E_INVALID);
    return done("password");
}
