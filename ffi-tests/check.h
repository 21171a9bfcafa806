/* The one macro of these programs. Each prints its name and how many checks it made; run.sh counts. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "janua.h"

static unsigned long checks_made, checks_failed;

#define CHECK(what)                                                                   \
    do {                                                                              \
        __atomic_add_fetch(&checks_made, 1, __ATOMIC_RELAXED);                        \
        if (!(what)) {                                                                \
            __atomic_add_fetch(&checks_failed, 1, __ATOMIC_RELAXED);                  \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);        \
        }                                                                             \
    } while (0)

/* A status that is not the one expected is printed by name, with the library's own sentence. */
#define CHECK_STATUS(call, expected, error)                                           \
    do {                                                                              \
        janua_status status_ = (call);                                                \
        if (status_ != (expected))                                                    \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__,                    \
                    janua_status_name(status_), (error).message);                     \
        CHECK(status_ == (expected));                                                 \
    } while (0)

/* What must hold for the rest of the program to make sense. */
#define NEED(what)                                                                    \
    do {                                                                              \
        int so_ = (what) != 0;                                                        \
        if (!so_) fprintf(stderr, "%s:%d: needed: %s\n", __FILE__, __LINE__, #what);  \
        CHECK(so_);                                                                   \
        if (!so_) exit(done("stopped early"));                                        \
    } while (0)

static inline int done(const char *name) {
    printf("%s: %lu checks, %lu failed\n", name, checks_made, checks_failed);
    return checks_failed != 0;
}

static inline janua_str view(const char *text) {
    janua_str s = {text, text ? strlen(text) : 0};
    return s;
}

static inline int same(janua_str s, const char *text) {
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static inline int holds(janua_str s, const char *text) {
    size_t n = strlen(text);
    for (size_t i = 0; i + n <= s.len; i++)
        if (memcmp(s.ptr + i, text, n) == 0) return 1;
    return 0;
}

/* How often the long programs repeat themselves; run.sh lowers it under valgrind. */
static inline unsigned long times(unsigned long usual) {
    const char *part = getenv("JANUA_TEST_PART");
    unsigned long n = part ? usual / strtoul(part, NULL, 10) : usual;
    return n ? n : 1;
}

#endif
