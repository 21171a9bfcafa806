/* Deciding: a log-in in all its steps, a session, a log-out, and what the host is told at each. */
#include "fixture.h"

int main(void) {
    struct users users;
    users_init(&users);
    janua_directory table = users_table(&users);
    janua_error err = error_new();
    janua_engine *engine = engine_with("mauro", &table, NULL);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    janua_site *site = site_of(engine);
    janua_decision d = decision_new();

    /* Without its body a log-in cannot be judged. */
    janua_header json = json_type();
    janua_request request = login_of("", &json);
    request.flags = 0;
    CHECK_STATUS(janua_decide(site, &request, JANUA_FAST, &d, &err), JANUA_OK, err);
    CHECK(d.outcome == JANUA_NEED_BODY);
    CHECK(d.body_limit >= 1024);
    janua_decision_clear(&d);
    CHECK(d.size == sizeof d && d.owner == NULL && d.outcome == JANUA_DENY);

    /* A body that is too long is refused in the protocol's own words. */
    request.flags = JANUA_REQUEST_BODY_TOO_LARGE;
    CHECK_STATUS(janua_decide(site, &request, JANUA_FAST, &d, &err), JANUA_OK, err);
    CHECK(d.outcome == JANUA_ANSWER || d.outcome == JANUA_DENY);
    CHECK(d.reason == JANUA_REASON_TOO_LARGE && d.http_status >= 400 && d.body.len > 0);
    janua_decision_clear(&d);

    /* A password is not hashed on an event loop, and a FAST call asks nobody. */
    request = login_of(GOOD_LOGIN, &json);
    CHECK_STATUS(janua_decide(site, &request, JANUA_FAST, &d, &err), JANUA_OK, err);
    CHECK(d.outcome == JANUA_WOULD_BLOCK);
    CHECK(d.wait_class == JANUA_WAIT_HASH || d.wait_class == JANUA_WAIT_STORE);
    CHECK(users.lookups == 0);
    janua_decision_clear(&d);

    char cookie[600];
    log_in(site, cookie, sizeof cookie);
    CHECK(strncmp(cookie, "JSESSIONID=", 11) == 0);
    CHECK(users.lookups > 0);

    /* The session proves its user on the event loop; the host learns whom, and what to send inward. */
    janua_header header = {view("Cookie"), view(cookie)};
    request = request_of("GET", "/api/models", &header);
    for (int i = 0; i < 200; i++) { /* more than the pool is deep, all of them cleared */
        CHECK_STATUS(janua_decide(site, &request, JANUA_FAST, &d, &err), JANUA_OK, err);
        CHECK(d.outcome == JANUA_ALLOW && d.reason == JANUA_REASON_PROVEN);
        CHECK(same(d.principal, "u-aladdin") && same(d.method, "GET") && same(d.path, "/api/models"));
        CHECK(holds(d.roles, "administrator") && holds(d.roles, "reader"));
        CHECK(d.session_ref.len == 32 && !holds(view(cookie), "reader"));
        CHECK(same(header_of(d.set_inward, d.set_inward_len, "X-User"), "Aladdin"));
        CHECK(same(header_of(d.set_inward, d.set_inward_len, "X-User-Id"), "u-aladdin"));
        CHECK(d.endpoint.len > 0);
        janua_decision_clear(&d);
    }

    /* What was proof goes no further; what was not does. The list outlives the site that it belongs to. */
    char line[700];
    snprintf(line, sizeof line, "theme=dark; %s; lang=en", cookie);
    janua_header several = {view("Cookie"), view(line)};
    request = request_of("GET", "/api/models", &several);
    request.query = view("page=2&x=a%20b");
    janua_site *brief = site_of(engine);
    CHECK_STATUS(janua_decide(brief, &request, JANUA_FAST, &d, &err), JANUA_OK, err);
    janua_site_free(brief);
    CHECK(d.outcome == JANUA_ALLOW);
    CHECK(same(header_of(d.set_inward, d.set_inward_len, "Cookie"), "theme=dark; lang=en"));
    CHECK(same(d.query, "page=2&x=a%20b"));
    int cookies = 0, users_named = 0;
    for (size_t i = 0; i < d.strip_len; i++) {
        cookies += same(d.strip[i], "cookie");
        users_named += same(d.strip[i], "x_user");
    }
    CHECK(cookies == 1 && users_named == 1);
    janua_decision_clear(&d);
    request = request_of("GET", "/api/models", &header);

    /* Many decisions at once: each has views of its own. */
    enum { MANY = 100 };
    static janua_decision many[MANY];
    for (int i = 0; i < MANY; i++) {
        many[i].size = sizeof many[i];
        CHECK(janua_decide(site, &request, JANUA_FAST, &many[i], &err) == JANUA_OK);
    }
    for (int i = 0; i < MANY; i++) CHECK(same(many[i].principal, "u-aladdin"));
    for (int i = 0; i < MANY; i++) janua_decision_clear(&many[i]);

    /* More headers than the stack holds, and more than any server lets through. */
    static janua_header lines[1025];
    for (int i = 0; i < 1025; i++) lines[i] = (janua_header){view("Accept"), view("*/*")};
    lines[1023] = header;
    request.headers = lines;
    request.headers_len = 1024;
    CHECK_STATUS(janua_decide(site, &request, JANUA_FAST, &d, &err), JANUA_OK, err);
    CHECK(d.outcome == JANUA_ALLOW && same(d.principal, "u-aladdin"));
    janua_decision_clear(&d);
    request.headers_len = 1025;
    CHECK(janua_decide(site, &request, JANUA_FAST, &d, &err) == JANUA_E_INVALID);
    CHECK(d.outcome == JANUA_DENY && d.http_status == 500 && d.owner == NULL);

    /* A wrong password is an outcome, not a failure; its answer holds neither password nor hash. */
    request = login_of(BAD_LOGIN, &json);
    CHECK_STATUS(janua_decide(site, &request, 0, &d, &err), JANUA_OK, err);
    CHECK(d.http_status == 401 && d.reason == JANUA_REASON_WRONG_PASSWORD);
    CHECK(d.outcome == JANUA_ANSWER || d.outcome == JANUA_DENY);
    CHECK(!holds(d.body, "pa55w0rd") && !holds(d.body, "argon2") && d.principal.len == 0);
    janua_decision_clear(&d);

    /* Log-out has happened when its answer is there. */
    request = request_of("GET", "/api/authentication/logout", &header);
    CHECK_STATUS(janua_decide(site, &request, 0, &d, &err), JANUA_OK, err);
    CHECK(d.outcome == JANUA_ANSWER && d.http_status == 204 && d.reason == JANUA_REASON_LOGGED_OUT);
    janua_decision_clear(&d);
    request = request_of("GET", "/api/models", &header);
    CHECK_STATUS(janua_decide(site, &request, JANUA_FAST, &d, &err), JANUA_OK, err);
    CHECK(d.outcome != JANUA_ALLOW && d.http_status == 401 && d.principal.len == 0);
    janua_decision_clear(&d);

    janua_site_free(site);
    janua_engine_free(engine);
    CHECK(users.destroyed == 1);
    return done("decision");
}
