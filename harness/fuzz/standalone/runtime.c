/* SPDX-License-Identifier: MIT */
/* The functions below carry out steps, and keep what each returned in `r`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The exit status, which for OTHERWISE is DIFFERS, too: it gives neither what it should nor what was found. */
enum { AS_IT_SHOULD = 0, DIFFERS = 1, NOT_SHOWN = 2, OTHERWISE = 3 };
enum { CHUNK = 4096, DIGITS = 256 };

struct result {
    int64_t value; /* -ECANCELED until the step was carried out, -errno when it failed */
    int error, done;
    uint32_t length;
};

static struct result *r;
static uint8_t *arena, *answers;
static pthread_t *threads;

static void image(void);
static void steps(void);
static int judge(void);

static inline uint64_t at(uint64_t offset)
{
    return (uintptr_t)arena + offset;
}

static inline uint64_t held(uint64_t offset, unsigned width)
{
    uint64_t value = 0;
    memcpy(&value, arena + offset, width);
    return value;
}

static inline void put(uint64_t offset, const void *bytes, size_t length)
{
    memcpy(arena + offset, bytes, length);
}

static inline void gives(int step, int64_t value)
{
    r[step] = (struct result){.value = value, .done = 1};
}

static inline void fails(int step, int error)
{
    r[step] = (struct result){.value = -error, .error = error, .done = 1};
}

static inline void call(int step, long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    errno = 0;
    long value = syscall(number, a, b, c, d, e, f);
    if (value == -1 && errno)
        fails(step, errno);
    else
        gives(step, value);
}

static inline void store(int step, uint64_t address, unsigned width, uint64_t value)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    memcpy((void *)(uintptr_t)address, &value, width);
    gives(step, 0);
}

static inline void load(int step, uint64_t address, unsigned width)
{
    uint64_t value = 0;
    memcpy(&value, (const void *)(uintptr_t)address, width);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    gives(step, (int64_t)value);
}

/* Copies memory that may not be readable: the kernel reads it. Returns how many bytes it could. */
static inline int64_t copied(uint8_t *to, uint64_t from, uint64_t length)
{
    int ends[2];
    uint64_t done = 0;
    if (pipe(ends))
        return 0;
    while (done < length) {
        uint64_t chunk = CHUNK - (from + done) % CHUNK;
        ssize_t wrote =
            write(ends[1], (const void *)(uintptr_t)(from + done), chunk < length - done ? chunk : length - done);
        if (wrote <= 0 || read(ends[0], to + done, (size_t)wrote) != wrote)
            break;
        done += (uint64_t)wrote;
    }
    close(ends[0]);
    close(ends[1]);
    return (int64_t)done;
}

static inline void copy(int step, uint64_t address, int64_t length, uint32_t most, size_t place)
{
    if (length < 0) {
        fails(step, EINVAL);
        return;
    }
    int64_t got = copied(answers + place, address, length > most ? most : (uint64_t)length);
    if (length && !got) {
        fails(step, EFAULT);
        return;
    }
    gives(step, got);
    r[step].length = (uint32_t)got;
}

static inline void parse(int step, uint64_t address, int64_t length, int base)
{
    char text[DIGITS + 1] = "", *end;
    if (length > 0)
        copied((uint8_t *)text, address, length > DIGITS ? DIGITS : (uint64_t)length);
    uint64_t value = strtoull(text, &end, base);
    if (end == text)
        fails(step, EINVAL);
    else
        gives(step, (int64_t)value);
}

static inline void forget(int first, int count)
{
    for (int step = first; step < first + count; step++)
        r[step] = (struct result){.value = -ECANCELED};
}

static inline int skip(int step, int64_t condition, int count)
{
    gives(step, condition < 0 ? count : 0);
    if (condition < 0)
        forget(step + 1, count);
    return condition < 0;
}

static inline void pin(int step, uint64_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        fails(step, errno);
    else
        gives(step, 0);
}

static inline void start(int step, void *(*block)(void *))
{
    int error = pthread_create(&threads[step], NULL, block, NULL);
    if (error)
        fails(step, error);
    else
        gives(step, 0);
}

static inline void join(int step, int thread)
{
    int error = r[thread].done && !r[thread].error ? pthread_join(threads[thread], NULL) : ESRCH;
    if (error)
        fails(step, error);
    else
        gives(step, 0);
}

/* Whether this is the new process. */
static inline int child(int step)
{
    pid_t pid = fork();
    if (pid < 0)
        fails(step, errno);
    else if (pid)
        gives(step, pid);
    return !pid;
}

/* The first error of some steps (-1 behind the last), 0 for none; -1 when one was not carried out. */
static inline int failed(const int *steps)
{
    for (; *steps >= 0; steps++) {
        if (!r[*steps].done)
            return -1;
        if (r[*steps].error)
            return r[*steps].error;
    }
    return 0;
}

/* Whether a step copied these bytes; those under a 0 of `mask`, if there is one, do not count. */
static inline int same(int step, size_t place, const void *bytes, const void *mask, uint32_t length)
{
    const uint8_t *expected = bytes, *counts = mask;
    if (r[step].length != length)
        return 0;
    for (uint32_t i = 0; i < length; i++)
        if ((answers[place + i] ^ expected[i]) & (counts ? counts[i] : 0xff))
            return 0;
    return 1;
}

static inline void tell(const char *operation, const char *right, int error, uint64_t value)
{
    printf("%s\n  should give: %s\n  gives: ", operation, right);
    if (error < 0)
        printf("nothing, it was not carried out\n");
    else if (error)
        printf("%s\n", strerror(error));
    else
        printf("%lld (0x%llx)\n", (long long)value, (unsigned long long)value);
}

static inline void tell_data(int step, size_t place)
{
    printf("  data: ");
    for (uint32_t i = 0; i < r[step].length; i++)
        printf("%02x", answers[place + i]);
    printf("\n");
}

/* Paths of tracefs are relative to it. */
static int enter_tracefs(void)
{
    const char *places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing", "/tracing"};
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < 3; i++)
            if (!chdir(places[i]) && !access("kprobe_events", W_OK))
                return 0;
        mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
        mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
    }
    return -1;
}

/* A kernel without a JIT lacks the switch alone; other network namespaces lack all that is for the whole machine. */
static int without_jit(void)
{
    return errno == ENOENT && !access("/proc/sys/net/core/dev_weight", F_OK);
}

/* Chooses '1', the JIT, or '0', the interpreter; returns what was chosen before, 0 with an errno when it cannot. */
static char choose_engine(char wanted)
{
    char before = 0;
    int error = 0, fd = open("/proc/sys/net/core/bpf_jit_enable", O_RDWR);
    if (fd < 0)
        return wanted == '0' && without_jit() ? wanted : 0;
    errno = 0;
    if (read(fd, &before, 1) != 1 || (before != wanted && pwrite(fd, &wanted, 1, 0) != 1)) {
        before = 0;
        error = errno;
    }
    close(fd);
    errno = error;
    return before;
}

static void *memory(size_t length, int flags)
{
    void *place = mmap(NULL, length, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) {
        perror("mmap");
        exit(NOT_SHOWN);
    }
    return place;
}

int main(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), length = (ARENA + page - 1) / page * page;
    setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    if (TRACES && enter_tracefs()) {
        fprintf(stderr, "no tracefs with kprobe_events to write to: run it as root\n");
        return NOT_SHOWN;
    }
    char before = choose_engine(ENGINE);
    if (!before) {
        fprintf(stderr, "cannot set net.core.bpf_jit_enable to %c: %s\n", ENGINE, strerror(errno));
        return NOT_SHOWN;
    }
    arena = memory(length + page, MAP_PRIVATE);
    mprotect(arena + length, page, PROT_NONE);
    r = memory(sizeof *r * STEPS, MAP_SHARED);
    answers = memory(ANSWERS + 1, MAP_SHARED);
    threads = memory(sizeof *threads * STEPS, MAP_PRIVATE);
    forget(0, STEPS);
    image();

    int status = 0;
    pid_t pid = fork();
    if (!pid) {
        alarm(SECONDS);
        steps();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    choose_engine(before);
    if (WIFSIGNALED(status))
        printf("signal %d ended it\n", WTERMSIG(status));
    int verdict = pid < 0 ? NOT_SHOWN : judge();
    printf("%s\n", verdict == AS_IT_SHOULD ? "the kernel does as it should"
                   : verdict == DIFFERS    ? "the kernel differs, as was found"
                   : verdict == OTHERWISE  ? "the kernel differs, but not as was found"
                                           : "it did not get to what was found: nothing is shown");
    return verdict == OTHERWISE ? DIFFERS : verdict;
}
