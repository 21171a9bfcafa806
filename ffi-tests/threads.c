/* Eight threads decide while sessions come and go: nobody sees another's decision, and a session whose revocation
 * was acknowledged proves nobody any more. */
#include <pthread.h>

#include "fixture.h"

enum { THREADS = 8, SESSIONS = 16 };

static janua_engine *engine;
static janua_site *site;
static unsigned long rounds;

/* A session that the reviser replaces again and again. `dead` counts the one that was revoked last. */
static struct place {
    pthread_rwlock_t lock;
    char header[JANUA_SESSION_ID_MAX + 16];
    char principal[16];
} places[SESSIONS];

/* Whoever is asked for by id, exists. */
static janua_status lookup(void *ctx, janua_str name, janua_user *out) {
    (void)ctx;
    janua_user_set(out, JANUA_STR("id"), name);
    return janua_user_set(out, JANUA_STR("name"), name);
}

/* Decisions are cleared on another thread than the one that made them, through this one-place mailbox. */
static janua_decision *mailbox;

static void make(struct place *place, unsigned long n) {
    char id[JANUA_SESSION_ID_MAX];
    size_t len = 0;
    janua_error err = error_new();
    snprintf(place->principal, sizeof place->principal, "u-%lu", n % 7);
    CHECK_STATUS(janua_session_create(site, view(place->principal), view(NULL), id, sizeof id, &len, &err), JANUA_OK, err);
    snprintf(place->header, sizeof place->header, "JSESSIONID=%.*s", (int)len, id);
}

static janua_decision *ask(const char *method, const char *path, const char *cookie) {
    janua_header header = {view("Cookie"), view(cookie)};
    janua_request request = request_of(method, path, cookie ? &header : NULL);
    janua_decision *d = calloc(1, sizeof *d);
    janua_error err = error_new();
    d->size = sizeof *d;
    CHECK_STATUS(janua_decide(site, &request, JANUA_FAST, d, &err), JANUA_OK, err);
    return d;
}

static void post(janua_decision *d) {
    d = __atomic_exchange_n(&mailbox, d, __ATOMIC_ACQ_REL);
    janua_decision_clear(d);
    free(d);
}

static void *decider(void *arg) {
    unsigned long seed = (unsigned long)arg;
    for (unsigned long i = 0; i < rounds; i++) {
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        struct place *place = &places[(seed >> 33) % SESSIONS];
        janua_decision *d;
        if (i % 16 == 0) {
            /* Under the lock nobody revokes: the session must be good, and its user the right one. */
            pthread_rwlock_rdlock(&place->lock);
            d = ask("GET", "/api/models", place->header);
            CHECK(d->outcome == JANUA_ALLOW || d->outcome == JANUA_DENY || d->outcome == JANUA_ANSWER);
            if (d->outcome == JANUA_ALLOW && d->principal.len) CHECK(same(d->principal, place->principal));
            pthread_rwlock_unlock(&place->lock);
        } else if (i % 3 == 0) {
            d = ask("GET", "/api/models", "JSESSIONID=00000000000000000000000000000000");
            CHECK(d->principal.len == 0);
        } else if (i % 3 == 1) {
            d = ask("POST", "/api/authentication/login", NULL);
            CHECK(d->outcome != JANUA_ALLOW && d->principal.len == 0);
        } else {
            d = ask("GET", "/api/models", NULL);
            CHECK(d->principal.len == 0);
        }
        post(d);
    }
    return NULL;
}

static int stop;

static void *reviser(void *arg) {
    unsigned long n = 0;
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        struct place *place = &places[n % SESSIONS];
        janua_error err = error_new();
        pthread_rwlock_wrlock(&place->lock);
        char old[sizeof place->header];
        strcpy(old, place->header);
        CHECK_STATUS(janua_session_revoke(site, view(old + strlen("JSESSIONID=")), &err), JANUA_OK, err);
        janua_decision *d = ask("GET", "/api/models", old);
        CHECK(d->principal.len == 0 && d->outcome != JANUA_ALLOW);
        post(d);
        make(place, n);
        pthread_rwlock_unlock(&place->lock);
        if (n++ % 64 == 0) CHECK_STATUS(janua_maintain(engine, 500, &err), JANUA_OK, err);
    }
    return NULL;
}

int main(void) {
    struct users users;
    users_init(&users);
    janua_directory table = users_table(&users);
    janua_error err = error_new();
    table.lookup = lookup;
    rounds = times(20000);
    engine = engine_with("mauro", &table, NULL);
    CHECK_STATUS(janua_engine_attach(engine, &err), JANUA_OK, err);
    site = site_of(engine);
    for (int i = 0; i < SESSIONS; i++) {
        pthread_rwlock_init(&places[i].lock, NULL);
        make(&places[i], (unsigned long)i);
    }
    pthread_t threads[THREADS], other;
    NEED(pthread_create(&other, NULL, reviser, NULL) == 0);
    for (int i = 0; i < THREADS; i++) NEED(pthread_create(&threads[i], NULL, decider, (void *)(size_t)(i + 1)) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    pthread_join(other, NULL);

    /* Freed while a decision is still out, on no thread that made it. */
    janua_site_free(site);
    janua_engine_free(engine);
    CHECK(users.destroyed == 0);
    post(NULL);
    CHECK(users.destroyed == 1);
    return done("threads");
}
