/* The library comes and goes by dlopen. No thread-local of ours has a destructor, which would run code of a library that is
 * gone; this program stands in for the C library's __cxa_thread_atexit_impl and counts who asks for one. The template
 * library asks for some where templates are compiled and rendered: then the C library itself keeps ours loaded until
 * that thread ends. A thread that only decides leaves nothing behind at all. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>

#include "fixture.h"

static int destructors;

int __cxa_thread_atexit_impl(void (*run)(void *), void *object, void *dso) {
    int (*real)(void (*)(void *), void *, void *) = dlsym(RTLD_NEXT, "__cxa_thread_atexit_impl");
    destructors++;
    return real(run, object, dso);
}

static janua_status nobody(void *ctx, janua_str name, janua_user *out) {
    (void)ctx, (void)name, (void)out;
    return JANUA_E_NOT_FOUND;
}

#define LOAD(name) name##_ = (__typeof__(&name))(size_t)dlsym(library, #name)

static const char *path;
static janua_site *site;
static __typeof__(&janua_decide) janua_decide_;
static __typeof__(&janua_decision_clear) janua_decision_clear_;

/* A thread that comes, decides and goes, as those of a server do. */
static void *only_decide(void *arg) {
    janua_decision d = decision_new();
    janua_error err = error_new();
    janua_header header = {view("Cookie"), view("JSESSIONID=00000000000000000000000000000000")};
    janua_request request = request_of("GET", "/api/models", NULL);
    int before = destructors;
    (void)arg;
    CHECK(janua_decide_(site, &request, JANUA_FAST, &d, &err) == JANUA_OK);
    CHECK(d.outcome == JANUA_ALLOW);
    janua_decision_clear_(&d);
    request.headers = &header;
    request.headers_len = 1;
    CHECK(janua_decide_(site, &request, JANUA_FAST | 0x100, &d, &err) == JANUA_E_INVALID);
    CHECK(destructors == before);
    return NULL;
}

static void *use(void *arg) {
    pthread_t thread;
    (void)arg;
    for (int i = 0; i < 2; i++) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (!library) fprintf(stderr, "%s\n", dlerror());
        CHECK(library != NULL);
        if (!library) return NULL;
        __typeof__(&janua_abi) LOAD(janua_abi);
        __typeof__(&janua_config_new) LOAD(janua_config_new);
        __typeof__(&janua_config_read_text) LOAD(janua_config_read_text);
        __typeof__(&janua_config_set_directory) LOAD(janua_config_set_directory);
        __typeof__(&janua_engine_new) LOAD(janua_engine_new);
        __typeof__(&janua_engine_attach) LOAD(janua_engine_attach);
        __typeof__(&janua_site_new) LOAD(janua_site_new);
        __typeof__(&janua_site_free) LOAD(janua_site_free);
        __typeof__(&janua_engine_free) LOAD(janua_engine_free);
        __typeof__(&janua_config_free) LOAD(janua_config_free);
        LOAD(janua_decide);
        LOAD(janua_decision_clear);
        CHECK(janua_abi_() == JANUA_ABI);
        janua_config *config = NULL;
        janua_engine *engine = NULL;
        janua_error err = error_new();
        janua_directory table = {sizeof table, NULL, nobody, NULL, NULL};
        CHECK(janua_config_new_(JANUA_ABI, &config, &err) == JANUA_OK);
        CHECK(janua_config_read_text_(config, view("t"), view("[engine\n"), view(NULL), &err) == JANUA_E_INVALID);
        CHECK(janua_config_read_text_(config, view("t"), view(CONFIG), view(NULL), &err) == JANUA_OK);
        CHECK(janua_config_set_directory_(config, &table, &err) == JANUA_OK);
        CHECK(janua_engine_new_(config, &engine, &err) == JANUA_OK);
        CHECK(janua_engine_attach_(engine, &err) == JANUA_OK);
        CHECK(janua_site_new_(engine, view("mauro"), view(NULL), 0, &site, &err) == JANUA_OK);
        CHECK(pthread_create(&thread, NULL, only_decide, NULL) == 0);
        pthread_join(thread, NULL);
        janua_site_free_(site);
        janua_engine_free_(engine);
        janua_config_free_(config);
        CHECK(dlclose(library) == 0);
    }
    return NULL;
}

static int is_loaded(void) {
    void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (library) dlclose(library); /* also lets the C library sweep up what ended threads kept */
    return library != NULL;
}

int main(int argc, char **argv) {
    pthread_t thread;
    path = argc > 1 ? argv[1] : "libjanua.so.0";
    for (int i = 0; i < 3; i++) {
        NEED(pthread_create(&thread, NULL, use, NULL) == 0);
        pthread_join(thread, NULL);
        is_loaded();
        CHECK(!is_loaded()); /* the thread has ended, and the library is gone */
    }
    return done("unload");
}
