/* The library comes and goes by dlopen, twice, while the thread that used it lives on: it leaves nothing behind that
 * runs later. Destructors of thread-locals would be such a thing; this program stands in for the C library's
 * __cxa_thread_atexit_impl and counts who asks for one. */
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

static void *use(void *arg) {
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
        __typeof__(&janua_decide) LOAD(janua_decide);
        __typeof__(&janua_decision_clear) LOAD(janua_decision_clear);
        __typeof__(&janua_site_free) LOAD(janua_site_free);
        __typeof__(&janua_engine_free) LOAD(janua_engine_free);
        __typeof__(&janua_config_free) LOAD(janua_config_free);
        CHECK(janua_abi_() == JANUA_ABI);
        janua_config *config = NULL;
        janua_engine *engine = NULL;
        janua_site *site = NULL;
        janua_error err = error_new();
        CHECK(janua_config_new_(JANUA_ABI, &config, &err) == JANUA_OK);
        CHECK(janua_config_read_text_(config, view("t"), view("[engine\n"), view(NULL), &err) == JANUA_E_INVALID);
        CHECK(janua_config_read_text_(config, view("t"), view(CONFIG), view(NULL), &err) == JANUA_OK);
        janua_directory table = {sizeof table, NULL, nobody, NULL, NULL};
        janua_decision d = decision_new();
        janua_request request = request_of("GET", "/api/models", NULL);
        CHECK(janua_config_set_directory_(config, &table, &err) == JANUA_OK);
        CHECK(janua_engine_new_(config, &engine, &err) == JANUA_OK);
        CHECK(janua_engine_attach_(engine, &err) == JANUA_OK);
        CHECK(janua_site_new_(engine, view("mauro"), view(NULL), 0, &site, &err) == JANUA_OK);
        CHECK(janua_decide_(site, &request, JANUA_FAST, &d, &err) == JANUA_OK);
        janua_decision_clear_(&d);
        janua_site_free_(site);
        janua_engine_free_(engine);
        janua_config_free_(config);
        CHECK(dlclose(library) == 0);
        CHECK(dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL); /* it is gone */
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t thread;
    path = argc > 1 ? argv[1] : "libjanua.so.0";
    NEED(pthread_create(&thread, NULL, use, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK(destructors == 0);
    return done("unload");
}
