/* Audit: each decision is told of once, without a credential, and destroy runs once. */
#include "fixture.h"

struct told {
    int events, allowed, denied, logins, logouts, destroyed, leaks;
    char principal[200];
};

static int leaks(janua_str s) { return holds(s, "OpenSesame") || holds(s, "pa55w0rd") || holds(s, "JSESSIONID"); }

static void event(void *ctx, const janua_event *event) {
    struct told *told = ctx;
    told->events++;
    CHECK(event->size == sizeof *event);
    CHECK(event->time > 1600000000);
    CHECK(*janua_reason_name(event->reason) != '\0');
    CHECK(same(event->client, "192.0.2.7"));
    switch (event->kind) {
    case JANUA_EVENT_ALLOW: told->allowed++; break;
    case JANUA_EVENT_DENY: told->denied++; break;
    case JANUA_EVENT_LOGIN: told->logins++; break;
    case JANUA_EVENT_LOGOUT: told->logouts++; break;
    }
    told->leaks += leaks(event->principal) + leaks(event->session_ref) + leaks(event->client) +
                   leaks(event->endpoint) + leaks(event->method);
    snprintf(told->principal, sizeof told->principal, "%.*s", (int)event->principal.len, event->principal.ptr);
}

static void destroy(void *ctx) { ((struct told *)ctx)->destroyed++; }

int main(void) {
    struct users users;
    users_init(&users);
    struct told told;
    memset(&told, 0, sizeof told);
    janua_directory table = users_table(&users);
    janua_audit audit = {sizeof audit, &told, event, destroy};
    janua_error err = error_new();
    janua_engine *engine = engine_with("mauro", &table, &audit);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    janua_site *site = site_of(engine);
    janua_decision d = decision_new();
    janua_header json = json_type();
    char cookie[600];

    /* NEED_BODY and WOULD_BLOCK are no decisions yet: nothing is told. */
    janua_request request = login_of("", &json);
    request.flags = 0;
    CHECK(janua_decide(site, &request, JANUA_FAST, &d, &err) == JANUA_OK);
    janua_decision_clear(&d);
    request = login_of(GOOD_LOGIN, &json);
    CHECK(janua_decide(site, &request, JANUA_FAST, &d, &err) == JANUA_OK && d.outcome == JANUA_WOULD_BLOCK);
    janua_decision_clear(&d);
    CHECK(told.events == 0);

    log_in(site, cookie, sizeof cookie);
    CHECK(told.events == 1 && told.logins == 1 && strcmp(told.principal, "u-aladdin") == 0);

    janua_header header = {view("Cookie"), view(cookie)};
    request = request_of("GET", "/api/models", &header);
    CHECK(janua_decide(site, &request, JANUA_FAST, &d, &err) == JANUA_OK);
    janua_decision_clear(&d);
    CHECK(told.events == 2 && told.allowed == 1);

    /* The name of a refused log-in is a digest: people type passwords there. */
    request = login_of("{\"username\":\"OpenSesame\",\"password\":\"pa55w0rd\"}", &json);
    CHECK(janua_decide(site, &request, 0, &d, &err) == JANUA_OK && d.http_status == 401);
    janua_decision_clear(&d);
    CHECK(told.events == 3 && told.denied == 1 && told.principal[0] == '~');

    request = request_of("GET", "/api/authentication/logout", &header);
    CHECK(janua_decide(site, &request, 0, &d, &err) == JANUA_OK && d.http_status == 204);
    janua_decision_clear(&d);
    CHECK(told.events == 4 && told.logouts == 1);
    CHECK(told.leaks == 0 && told.destroyed == 0);

    janua_engine_free(engine);
    CHECK(told.destroyed == 0);
    janua_site_free(site);
    CHECK(told.destroyed == 1);

    /* Without an engine, and without an event. */
    janua_config *config = NULL;
    CHECK(janua_config_new(JANUA_ABI, &config, &err) == JANUA_OK);
    audit.event = NULL;
    CHECK(janua_config_set_audit(config, &audit, &err) == JANUA_E_NULL);
    audit.event = event;
    audit.size = offsetof(janua_audit, destroy); /* an older header */
    CHECK(janua_config_set_audit(config, &audit, &err) == JANUA_OK);
    audit.size = sizeof audit;
    CHECK(janua_config_set_audit(config, &audit, &err) == JANUA_OK);
    CHECK(told.destroyed == 1); /* the first had no destroy, for this library */
    janua_config_free(config);
    CHECK(told.destroyed == 2);
    return done("audit");
}
