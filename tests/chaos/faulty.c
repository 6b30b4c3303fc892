/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into `hil` and its children: system calls on files below a folder fail while a trigger file exists.
 *
 *   CHAOS_FAULT=ERRNO:OPERATIONS:FOLDER:TRIGGER
 *
 * OPERATIONS are letters: `o` opening to write, `w` writing, `i` opening to read, `r` reading. They fail as long as
 * TRIGGER exists. Other calls, and calls on other files, are not changed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int fault;
static char operations[16], folder[PATH_MAX], trigger[PATH_MAX];

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("CHAOS_FAULT");
    if (text)
        sscanf(text, "%d:%15[a-z]:%4095[^:]:%4095s", &fault, operations, folder, trigger);
}

static int strikes(char operation, const char *path)
{
    return fault && strchr(operations, operation) && !strncmp(path, folder, strlen(folder)) &&
           !syscall(SYS_faccessat, AT_FDCWD, trigger, F_OK);
}

static int opening(int at, const char *path, int flags)
{
    char whole[PATH_MAX];
    if (!fault || (at != AT_FDCWD && path[0] != '/'))
        return 0;
    if (path[0] != '/') {
        if (!getcwd(whole, sizeof whole / 2))
            return 0;
        strncat(whole, "/", 2);
        strncat(whole, path, sizeof whole - strlen(whole) - 1);
        path = whole;
    }
    return strikes((flags & O_ACCMODE) == O_RDONLY ? 'i' : 'o', path);
}

static int using(char operation, int descriptor)
{
    char link[64], path[PATH_MAX];
    if (!fault || !strchr(operations, operation))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strikes(operation, path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL                                                                                                           \
    do {                                                                                                               \
        errno = fault;                                                                                                 \
        return -1;                                                                                                     \
    } while (0)

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;                                        \
        va_end(list);                                                                                                  \
        if (opening(AT_FDCWD, path, flags))                                                                            \
            FAIL;                                                                                                      \
        return REAL(name)(path, flags, mode);                                                                          \
    }

#define OPENAT(name)                                                                                                   \
    int name(int at, const char *path, int flags, ...)                                                                 \
    {                                                                                                                  \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;                                        \
        va_end(list);                                                                                                  \
        if (opening(at, path, flags))                                                                                  \
            FAIL;                                                                                                      \
        return REAL(name)(at, path, flags, mode);                                                                      \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int descriptor, const void *data, size_t size)
{
    if (using('w', descriptor))
        FAIL;
    return REAL(write)(descriptor, data, size);
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset)
{
    if (using('w', descriptor))
        FAIL;
    return REAL(pwrite64)(descriptor, data, size, offset);
}

ssize_t writev(int descriptor, const struct iovec *parts, int count)
{
    if (using('w', descriptor))
        FAIL;
    return REAL(writev)(descriptor, parts, count);
}

ssize_t read(int descriptor, void *data, size_t size)
{
    if (using('r', descriptor))
        FAIL;
    return REAL(read)(descriptor, data, size);
}

ssize_t pread64(int descriptor, void *data, size_t size, off64_t offset)
{
    if (using('r', descriptor))
        FAIL;
    return REAL(pread64)(descriptor, data, size, offset);
}
