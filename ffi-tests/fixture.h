/* An engine with two users, and requests that fit it. The users come by callback, so that no file is needed. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "check.h"

/* Counts what the callbacks were asked; a program may change what they answer. */
struct users {
    int lookups, checks, destroyed;
    janua_status answer; /* JANUA_OK: look the name up */
    char hash[256];
    size_t hash_len;
};

static const char *const CONFIG =
    "[engine]\n"
    "site = \"data.test\"\n"
    "secure = false\n"
    "[keyring]\n"
    "path = \"ephemeral\"\n"
    "[store]\n"
    "kind = \"memory\"\n"
    "[headers]\n"
    "user = \"X-User\"\n"
    "id = \"X-User-Id\"\n"
    "roles = \"X-Roles\"\n"
    "session = \"X-Session-Ref\"\n";

static inline janua_error error_new(void) {
    janua_error err;
    memset(&err, 0, sizeof err);
    err.size = sizeof err;
    return err;
}

static inline janua_decision decision_new(void) {
    janua_decision d;
    memset(&d, 0, sizeof d);
    d.size = sizeof d;
    return d;
}

static inline janua_proof proof_new(void) {
    janua_proof p;
    memset(&p, 0, sizeof p);
    p.size = sizeof p;
    return p;
}

static inline janua_status users_lookup(void *ctx, janua_str name, janua_user *out) {
    struct users *users = (struct users *)ctx;
    __atomic_add_fetch(&users->lookups, 1, __ATOMIC_RELAXED);
    if (users->answer != JANUA_OK) return users->answer;
    janua_str hash = {users->hash, users->hash_len};
    /* By name, in lower case where the profile forgives case, or by id. */
    if (same(name, "Aladdin") || same(name, "aladdin") || same(name, "u-aladdin")) {
        janua_user_set(out, JANUA_STR("id"), JANUA_STR("u-aladdin"));
        janua_user_set(out, JANUA_STR("name"), JANUA_STR("Aladdin"));
        janua_user_set(out, JANUA_STR("role"), JANUA_STR("administrator"));
        janua_user_set(out, JANUA_STR("role"), JANUA_STR("reader"));
        janua_user_set(out, JANUA_STR("attr.firstName"), JANUA_STR("Aladdin"));
    } else if (same(name, "joe.bloggs@test.com") || same(name, "u-joe")) {
        janua_user_set(out, JANUA_STR("id"), JANUA_STR("u-joe"));
        janua_user_set(out, JANUA_STR("name"), JANUA_STR("joe.bloggs@test.com"));
        janua_user_set(out, JANUA_STR("disabled"), JANUA_STR("true"));
    } else {
        return JANUA_E_NOT_FOUND;
    }
    return janua_user_set(out, JANUA_STR("hash"), hash);
}

static inline void users_destroy(void *ctx) { ((struct users *)ctx)->destroyed++; }

static inline void users_init(struct users *users) {
    janua_error err = error_new();
    memset(users, 0, sizeof *users);
    CHECK_STATUS(janua_password_hash(JANUA_STR("OpenSesame"), users->hash, sizeof users->hash,
                                     &users->hash_len, &err), JANUA_OK, err);
}

static inline janua_directory users_table(struct users *users) {
    janua_directory table;
    memset(&table, 0, sizeof table);
    table.size = sizeof table;
    table.ctx = users;
    table.lookup = users_lookup;
    table.destroy = users_destroy;
    return table;
}

/* A configuration with the profile, the users and, if given, the audit; ready to build. */
static inline janua_config *config_with(const char *profile, const janua_directory *table,
                                        const janua_audit *audit) {
    janua_config *config = NULL;
    janua_error err = error_new();
    CHECK_STATUS(janua_config_new(JANUA_ABI, &config, &err), JANUA_OK, err);
    CHECK_STATUS(janua_config_read_text(config, JANUA_STR("fixture.h"), view(CONFIG), view(NULL), &err),
                 JANUA_OK, err);
    CHECK_STATUS(janua_config_set(config, JANUA_STR("engine.profile"), view(profile), &err), JANUA_OK, err);
    CHECK_STATUS(janua_config_set_directory(config, table, &err), JANUA_OK, err);
    if (audit) CHECK_STATUS(janua_config_set_audit(config, audit, &err), JANUA_OK, err);
    return config;
}

/* An engine that is built but not attached. */
static inline janua_engine *engine_with(const char *profile, const janua_directory *table,
                                        const janua_audit *audit) {
    janua_engine *engine = NULL;
    janua_error err = error_new();
    janua_config *config = config_with(profile, table, audit);
    CHECK_STATUS(janua_engine_new(config, &engine, &err), JANUA_OK, err);
    janua_config_free(config);
    NEED(engine != NULL);
    return engine;
}

static inline janua_site *site_of(const janua_engine *engine) {
    janua_site *site = NULL;
    janua_error err = error_new();
    CHECK_STATUS(janua_site_new(engine, view(NULL), view(NULL), 0, &site, &err), JANUA_OK, err);
    NEED(site != NULL);
    return site;
}

/* A request with at most one header; the caller keeps the header alive. */
static inline janua_request request_of(const char *method, const char *path, const janua_header *header) {
    janua_request request;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.method = view(method);
    request.path = view(path);
    request.raw_path = view(path);
    request.client = view("192.0.2.7");
    request.headers = header;
    request.headers_len = header ? 1 : 0;
    return request;
}

static inline janua_request login_of(const char *body, const janua_header *json) {
    janua_request request = request_of("POST", "/api/authentication/login", json);
    request.body = view(body);
    request.flags = JANUA_REQUEST_BODY_GIVEN;
    return request;
}

static const char *const GOOD_LOGIN = "{\"username\":\"Aladdin\",\"password\":\"OpenSesame\"}";
static const char *const BAD_LOGIN = "{\"username\":\"Aladdin\",\"password\":\"pa55w0rd\"}";

static inline janua_header json_type(void) {
    janua_header header = {view("Content-Type"), view("application/json")};
    return header;
}

/* The first header of that name, or an empty view. */
static inline janua_str header_of(const janua_header *headers, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (same(headers[i].name, name)) return headers[i].value;
    return view(NULL);
}

/* Copies `Name=value` out of a Set-Cookie header, ready to be sent back. */
static inline int cookie_of(const janua_decision *d, char *out, size_t cap) {
    janua_str set = header_of(d->response, d->response_len, "Set-Cookie");
    size_t n = 0;
    while (n < set.len && set.ptr[n] != ';') n++;
    if (n == 0 || n + 1 > cap) return 0;
    memcpy(out, set.ptr, n);
    out[n] = '\0';
    return 1;
}

/* Logs Aladdin in by the mauro profile and leaves the cookie in `cookie`. */
static inline void log_in(const janua_site *site, char *cookie, size_t cap) {
    janua_header json = json_type();
    janua_request request = login_of(GOOD_LOGIN, &json);
    janua_decision d = decision_new();
    janua_error err = error_new();
    CHECK_STATUS(janua_decide(site, &request, 0, &d, &err), JANUA_OK, err);
    CHECK(d.outcome == JANUA_ANSWER);
    CHECK(d.http_status == 200);
    CHECK(d.reason == JANUA_REASON_LOGGED_IN);
    NEED(cookie_of(&d, cookie, cap));
    janua_decision_clear(&d);
}

#endif
