/* A wall clock that is wrong, for one process: loaded before it (LD_PRELOAD) by the tests of clocks, see clock.py. Adds to every reading
 * of the wall clock the microseconds that stand in the file JANUA_TEST_CLOCK, which may change while the process runs. Clocks that
 * nobody can set (since boot, monotonic) are left alone. It must never keep a process from starting: without the file it adds nothing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("JANUA_TEST_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) offset = page;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *out) {
    int failed = (int)syscall(SYS_clock_gettime, clock, out);
    if (failed || !offset || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return failed;
    int64_t us = (int64_t)out->tv_sec * 1000000 + out->tv_nsec / 1000 + *offset;
    out->tv_sec = us / 1000000;
    out->tv_nsec = us % 1000000 * 1000 + out->tv_nsec % 1000;
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    time_t seconds = clock_gettime(CLOCK_REALTIME, &now) ? (time_t)-1 : now.tv_sec;
    if (out) *out = seconds;
    return seconds;
}
