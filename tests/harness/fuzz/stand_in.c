/* SPDX-License-Identifier: MIT */
/* Stands for a kernel below the program of a finding, which is linked with --wrap. What it gives is in the environment:
 * SWITCH, the errno of opening the JIT's switch; HERE, if sysctls of the whole machine are there; and what loading a
 * program (LOAD) and receiving a packet (RECEIVE) give, a number, -errno, or "dies". */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

long __real_syscall(long number, ...);

static long given(const char *name)
{
    const char *text = getenv(name);
    if (!text)
        abort();
    if (!strcmp(text, "dies"))
        raise(SIGKILL);
    long value = atol(text);
    if (value >= 0)
        return value;
    errno = (int)-value;
    return -1;
}

int __wrap_open(const char *path, int flags, ...)
{
    (void)path, (void)flags;
    errno = (int)given("SWITCH");
    return -1;
}

int __wrap_access(const char *path, int mode)
{
    (void)path, (void)mode;
    errno = ENOENT;
    return getenv("HERE") ? 0 : -1;
}

long __wrap_syscall(long number, ...)
{
    unsigned long one[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        one[i] = va_arg(rest, unsigned long);
    va_end(rest);
    switch (number) {
    case SYS_bpf:
        return given("LOAD");
    case SYS_setsockopt:
        return 0;
    case SYS_recvfrom:
        return given("RECEIVE");
    }
    return __real_syscall(number, one[0], one[1], one[2], one[3], one[4], one[5]);
}
