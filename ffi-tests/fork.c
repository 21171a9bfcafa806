/* Fork: an engine attached in the parent is refused in the child until the child attaches; then both work. */
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

/* In statics: children leave by _exit, and what only a dead stack points to would count as lost. */
static janua_engine *engine;
static janua_site *site;

static int decides(janua_status expected) {
    janua_request request = request_of("GET", "/api/models", NULL);
    janua_decision d = decision_new();
    janua_error err = error_new();
    janua_status status = janua_decide(site, &request, JANUA_FAST, &d, &err);
    int as_expected = status == expected && (status == JANUA_OK || (d.outcome == JANUA_DENY && d.owner == NULL));
    if (!as_expected) fprintf(stderr, "pid %d: %s: %s\n", (int)getpid(), janua_status_name(status), err.message);
    janua_decision_clear(&d);
    return as_expected;
}

static int child(void) {
    janua_error err = error_new();
    char buf[512], id[JANUA_SESSION_ID_MAX];
    size_t len = 0;
    janua_proof proof = proof_new();
    CHECK(decides(JANUA_E_FORK));
    CHECK(janua_maintain(engine, 1000, &err) == JANUA_E_FORK);
    CHECK(janua_session_create(site, JANUA_STR("u-aladdin"), view(NULL), id, sizeof id, &len, &err) == JANUA_E_FORK);
    CHECK(janua_session_check(site, JANUA_STR("x"), 0, buf, sizeof buf, &proof, &err) == JANUA_E_FORK);
    CHECK(janua_revoke_principal(engine, JANUA_STR("u-aladdin"), &err) == JANUA_E_FORK);
    CHECK(err.reason == JANUA_REASON_NOT_ATTACHED);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    CHECK(decides(JANUA_OK));
    CHECK_STATUS(janua_session_create(site, JANUA_STR("u-aladdin"), view(NULL), id, sizeof id, &len, &err), JANUA_OK, err);
    janua_str made = {id, len};
    CHECK_STATUS(janua_session_check(site, made, 0, buf, sizeof buf, &proof, &err), JANUA_OK, err);

    /* A grandchild is as strange to the child as the child was to the parent. */
    pid_t pid = fork();
    if (pid == 0) _exit(decides(JANUA_E_FORK) ? 0 : 1);
    int state = 1;
    CHECK(waitpid(pid, &state, 0) == pid && state == 0);
    return checks_failed != 0;
}

int main(void) {
    struct users users;
    users_init(&users);
    janua_directory table = users_table(&users);
    janua_error err = error_new();
    engine = engine_with("mauro", &table, NULL);
    site = site_of(engine);
    char cookie[600];

    CHECK(decides(JANUA_E_FORK));

    /* Built, then forked, then attached: what a server with workers does. */
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        NEED(pid >= 0);
        if (pid == 0) {
            CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
            CHECK(decides(JANUA_OK));
            janua_site_free(site);
            janua_engine_free(engine);
            _exit(checks_failed != 0);
        }
        int state = 1;
        CHECK(waitpid(pid, &state, 0) == pid && state == 0);
    }
    CHECK(decides(JANUA_E_FORK));

    /* Attached, then forked: what a server should not do. */
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    CHECK(decides(JANUA_OK));
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) _exit(child());
    int state = 1;
    CHECK(waitpid(pid, &state, 0) == pid && state == 0);

    /* Copies of sessions that no log-out could reach are not taken over. */
    log_in(site, cookie, sizeof cookie);
    pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        CHECK(janua_engine_attach(engine, &err) == JANUA_E_FORK);
        CHECK(strstr(err.message, "memory store") != NULL);
        CHECK(decides(JANUA_E_FORK));
        _exit(checks_failed != 0);
    }
    state = 1;
    CHECK(waitpid(pid, &state, 0) == pid && state == 0);

    /* The parent noticed nothing. */
    CHECK(decides(JANUA_OK));
    janua_header header = {view("Cookie"), view(cookie)};
    janua_request request = request_of("GET", "/api/models", &header);
    janua_decision d = decision_new();
    CHECK_STATUS(janua_decide(site, &request, JANUA_FAST, &d, &err), JANUA_OK, err);
    CHECK(d.outcome == JANUA_ALLOW && same(d.principal, "u-aladdin"));
    janua_decision_clear(&d);
    janua_site_free(site);
    janua_engine_free(engine);
    CHECK(users.destroyed == 1);
    return done("fork");
}
