/* The parsing primitives. */
#include "fixture.h"

int main(void) {
    char buf[JANUA_BASIC_MAX];
    janua_str user = view(NULL), password = view(NULL), value = view(NULL);

    CHECK(janua_parse_basic(JANUA_STR("Basic QWxhZGRpbjpPcGVuU2VzYW1l"), buf, sizeof buf, &user, &password) == JANUA_OK);
    CHECK(same(user, "Aladdin") && same(password, "OpenSesame"));
    CHECK(user.ptr >= buf && password.ptr + password.len <= buf + sizeof buf);
    CHECK(janua_parse_basic(JANUA_STR("basic QWxhZGRpbjphOmI="), buf, sizeof buf, &user, &password) == JANUA_OK);
    CHECK(same(password, "a:b"));
    const char *const broken[] = {"", "Basic", "Basic !!!!", "Basic QWxhZGRpbg==", "Bearer QWxhZGRpbjphOmI=",
                                  "Basic QWxhZGRpbjoKeA==", "Basic QWxhZGRpbjph QQ=="};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        user = view("untouched");
        CHECK(janua_parse_basic(view(broken[i]), buf, sizeof buf, &user, &password) == JANUA_E_MALFORMED);
        CHECK(same(user, "untouched"));
    }
    CHECK(janua_parse_basic(JANUA_STR("Basic QWxhZGRpbjpPcGVuU2VzYW1l"), buf, 16, &user, &password) == JANUA_E_TOO_SMALL);
    CHECK(same(user, "untouched"));
    CHECK(janua_parse_basic(JANUA_STR("Basic QWxhZGRpbjpPcGVuU2VzYW1l"), buf, 17, &user, &password) == JANUA_OK);
    CHECK(janua_parse_basic(JANUA_STR("Basic x"), NULL, 4, &user, &password) == JANUA_E_NULL);
    CHECK(janua_parse_basic(JANUA_STR("Basic x"), buf, sizeof buf, NULL, &password) == JANUA_E_NULL);

    janua_str header = JANUA_STR("Bearer mF_9.B5f-4.1JqM");
    CHECK(janua_parse_bearer(header, &value) == JANUA_OK);
    CHECK(same(value, "mF_9.B5f-4.1JqM") && value.ptr == header.ptr + 7);
    CHECK(janua_parse_bearer(JANUA_STR("Bearer a b"), &value) == JANUA_E_MALFORMED);
    CHECK(janua_parse_bearer(JANUA_STR("Bearer"), &value) == JANUA_E_MALFORMED);
    CHECK(janua_parse_bearer(header, NULL) == JANUA_E_NULL);

    header = JANUA_STR("a=1; sid=first; SID=no; sid=\"second\"; xsid=no; sid=3; sid=4; sid=5");
    CHECK(janua_parse_cookie(header, JANUA_STR("sid"), 0, &value) == JANUA_OK && same(value, "first"));
    CHECK(janua_parse_cookie(header, JANUA_STR("sid"), 1, &value) == JANUA_OK && same(value, "second"));
    CHECK(janua_parse_cookie(header, JANUA_STR("sid"), 3, &value) == JANUA_OK && same(value, "4"));
    CHECK(janua_parse_cookie(header, JANUA_STR("sid"), 4, &value) == JANUA_E_NOT_FOUND);
    CHECK(same(value, "4"));
    CHECK(janua_parse_cookie(header, JANUA_STR("si"), 0, &value) == JANUA_E_NOT_FOUND);
    CHECK(janua_parse_cookie(header, view(NULL), 0, &value) == JANUA_E_INVALID);
    CHECK(janua_parse_cookie(view(NULL), JANUA_STR("sid"), 0, &value) == JANUA_E_NOT_FOUND);
    CHECK(janua_parse_cookie(header, JANUA_STR("sid"), (size_t)-1, &value) == JANUA_E_NOT_FOUND);
    return done("parse");
}
