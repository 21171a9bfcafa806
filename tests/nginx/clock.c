/* Preloaded into an nginx for which time must pass otherwise, so that what is shown is the module that is shipped and no
 * build for tests. harness.py compiles it. JANUA_TEST_CLOCK is a folder; what lies in it counts from then on:
 *
 *   fails    the monotonic clock fails for the module: Rust's `Instant::now` panics
 *   stands   a thread of the module that reads that clock waits until the file is gone
 *   later    for nginx itself a minute and a second more have passed for each byte of the file
 *
 * Who meets one of the first two writes a word into the file: whether it is the event loop or another thread.
 *
 * It must never touch the clocks that the core's own times come from: the wall's and that since boot. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int (*real_clock_gettime)(clockid_t, struct timespec *);
static char fails[512], stands[512], later[512];

/* Before nginx tidies up its environment. */
__attribute__((constructor)) static void prepare(void)
{
    const char *folder = getenv("JANUA_TEST_CLOCK");

    *(void **) &real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    if (folder) {
        snprintf(fails, sizeof(fails), "%s/fails", folder);
        snprintf(stands, sizeof(stands), "%s/stands", folder);
        snprintf(later, sizeof(later), "%s/later", folder);
    }
}

static int is_modules(const void *address)
{
    Dl_info info;

    return dladdr(address, &info) && info.dli_fname && strstr(info.dli_fname, "ngx_http_janua_module.so");
}

/* Whether the file is there. */
static int met(const char *file)
{
    const char *where = gettid() == getpid() ? "loop\n" : "thread\n";
    int fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd == -1) {
        return 0;
    }
    if (write(fd, where, strlen(where)) == -1) {
        abort();
    }
    close(fd);
    return 1;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    struct stat info;
    int result;

    if (real_clock_gettime == NULL) {
        return -1;
    }
    if (is_modules(__builtin_return_address(0))) {
        if (clock == CLOCK_MONOTONIC && gettid() != getpid() && met(stands)) {
            while (access(stands, F_OK) == 0) {
                usleep(10000);
            }
        }
        if (clock == CLOCK_MONOTONIC && met(fails)) {
            errno = EINVAL;
            return -1;
        }
        return real_clock_gettime(clock, time);
    }
    result = real_clock_gettime(clock, time);
    if ((clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE) && stat(later, &info) == 0) {
        time->tv_sec += 61 * info.st_size;
    }
    return result;
}
