/* The check path allocates nothing once warm: this program stands in for malloc and counts. Plain mode only, since the
 * other modes stand in for it themselves. */
#include "fixture.h"

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static unsigned long allocations;

void *malloc(size_t n) { return allocations++, __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return allocations++, __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return allocations++, __libc_realloc(p, n); }
void *aligned_alloc(size_t a, size_t n) { return allocations++, __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { return allocations++, (*p = __libc_memalign(a, n)) ? 0 : 12; }

int main(void) {
    struct users users;
    users_init(&users);
    janua_directory table = users_table(&users);
    janua_error err = error_new();
    janua_engine *engine = engine_with("mauro", &table, NULL);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    janua_site *site = site_of(engine), *tokens = NULL;
    CHECK_STATUS(janua_site_new(engine, JANUA_STR("mfiles"), view(NULL), 0, &tokens, &err), JANUA_OK, err);
    char cookie[600], token[JANUA_TOKEN_MAX], id[JANUA_SESSION_ID_MAX], buf[512];
    size_t token_len = 0, id_len = 0;
    log_in(site, cookie, sizeof cookie);
    const janua_str purpose = JANUA_STR("download"), aladdin = JANUA_STR("u-aladdin");
    CHECK_STATUS(janua_token_issue(tokens, purpose, aladdin, view(NULL), view(NULL), 0, token, sizeof token, &token_len, &err), JANUA_OK, err);
    CHECK_STATUS(janua_session_create(site, aladdin, view(NULL), id, sizeof id, &id_len, &err), JANUA_OK, err);

    janua_header headers[90];
    for (int i = 0; i < 90; i++) headers[i] = (janua_header){view("Accept"), view("*/*")};
    headers[45] = (janua_header){view("Cookie"), view(cookie)};
    janua_request request = request_of("GET", "/api/models", headers);
    request.headers_len = 90;
    janua_decision d = decision_new();
    janua_proof proof = proof_new();
    unsigned long before[3] = {0}, after[3] = {0};
    for (int i = 0; i < 1000; i++) {
        if (i == 10) before[0] = allocations;
        NEED(janua_decide(site, &request, JANUA_FAST, &d, &err) == JANUA_OK && d.outcome == JANUA_ALLOW);
        janua_decision_clear(&d);
    }
    after[0] = allocations;
    for (int i = 0; i < 1000; i++) {
        if (i == 10) before[1] = allocations;
        NEED(janua_session_check(site, (janua_str){id, id_len}, JANUA_FAST, buf, sizeof buf, &proof, &err) == JANUA_OK);
    }
    after[1] = allocations;
    for (int i = 0; i < 1000; i++) {
        if (i == 10) before[2] = allocations;
        NEED(janua_token_check(tokens, purpose, (janua_str){token, token_len}, JANUA_FAST, buf, sizeof buf, &proof, &err) == JANUA_OK);
    }
    after[2] = allocations;
    for (int i = 0; i < 3; i++) {
        if (after[i] != before[i]) fprintf(stderr, "%d: %lu allocations\n", i, after[i] - before[i]);
        CHECK(after[i] == before[i]);
    }
    janua_site_free(tokens);
    janua_site_free(site);
    janua_engine_free(engine);
    return done("alloc");
}
