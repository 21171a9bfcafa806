/* Preloaded into the nginx that valgrind watches. harness.py compiles it.
 *
 * Modules stay loaded to the end. Unloaded, their functions would lose their names in valgrind's reports, and what statics
 * of the library hold would be taken for lost.
 *
 * The shared store reserves 64 GiB of addresses, and valgrind has room for half of that: such a map is made at an eighth of
 * its size. No test writes so much. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/mman.h>

#define ROOM ((size_t) 16 << 30)

static size_t fitting(size_t length)
{
    return length > ROOM ? length / 8 : length;
}

int dlclose(void *handle)
{
    (void) handle;
    return 0;
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    static void *(*real)(void *, size_t, int, int, int, off_t);

    if (!real) {
        *(void **) &real = dlsym(RTLD_NEXT, "mmap");
    }
    return real(at, fitting(length), protection, flags, fd, offset);
}

int munmap(void *at, size_t length)
{
    static int (*real)(void *, size_t);

    if (!real) {
        *(void **) &real = dlsym(RTLD_NEXT, "munmap");
    }
    return real(at, fitting(length));
}
