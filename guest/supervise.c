/* SPDX-License-Identifier: MIT */
#include "supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef GRACE_MS
#define GRACE_MS 10000 /* time for a killed process to end; freeing perf events and maps is slow */
#endif

#define MILLISECOND UINT64_C(1000000)
enum { SHARED_KEPT = 1 << 20 };

static volatile sig_atomic_t running; /* the process group of the batch, 0 between batches */
static sigset_t handled, none;

static void on_child(int signal)
{
    (void)signal; /* the handler only interrupts ppoll */
}

static void on_stop(int signal)
{
    if (running)
        kill(-running, SIGKILL);
    _exit(128 + signal);
}

static const int stops[] = {SIGHUP, SIGINT, SIGTERM};

void supervise_setup(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int signal = 1; signal < NSIG; signal++) /* the parent may have ignored some */
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = on_child}, NULL);
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        sigaddset(&handled, stops[i]);
        sigaction(stops[i], &(struct sigaction){.sa_handler = on_stop}, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 * MILLISECOND + (uint64_t)time.tv_nsec;
}

/* Memory for the ledger and the answer, shared with the batch's process. Kept from batch to batch while it is small. */
static struct {
    uint8_t *at;
    size_t size;
    bool reusable;
} shared;

static bool map_shared(size_t size)
{
    if (shared.reusable && size == shared.size)
        return true;
    if (shared.at)
        munmap(shared.at, shared.size);
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared.at = at == MAP_FAILED ? NULL : at;
    shared.size = size;
    shared.reusable = shared.at && size == SHARED_KEPT;
    return shared.at;
}

static bool prepare(const struct batch *batch, struct workspace *workspace, size_t page)
{
    size_t ledger = sizeof *workspace->ledger + batch->step_count * sizeof *workspace->ledger->entries;
    size_t size = ledger + batch->answer;
    if (!map_shared(size < SHARED_KEPT ? SHARED_KEPT : size))
        return false;
    workspace->ledger = (struct ledger *)(void *)shared.at;
    workspace->answer = shared.at + ledger;
    workspace->ledger->at = 0;
    workspace->ledger->completed = false;
    workspace->ledger->unable = 0;
    for (uint32_t i = 0; i < batch->step_count; i++) {
        struct entry *entry = &workspace->ledger->entries[i];
        entry->status = STATUS_NOT_REACHED;
        entry->value = -ECANCELED;
        entry->error = 0;
        entry->length = 0;
    }

    void *arena = mmap(NULL, batch->arena + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (arena == MAP_FAILED)
        return false;
    workspace->arena = arena;
    if (batch->arena && mprotect(arena, batch->arena, PROT_READ | PROT_WRITE)) {
        munmap(arena, batch->arena + page);
        return false;
    }
    return true;
}

_Noreturn static void enter(const struct batch *batch, const struct workspace *workspace, int input, int output,
                            pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    close(input);
    close(output);
    for (int signal = 1; signal < NSIG; signal++)
        if (signal == SIGPIPE || sigismember(&handled, signal))
            sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    batch_run(batch, workspace);
}

enum wake { WAKE_CHILD, WAKE_TIME, WAKE_ORPHANED };

/* Sleeps until a child has (or may have) changed, the time `until`, or the reader of `output` is gone. */
static enum wake sleep_until(uint64_t until, int output)
{
    uint64_t time = now();
    if (time >= until)
        return WAKE_TIME;
    uint64_t left = until - time;
    struct timespec wait = {.tv_sec = (time_t)(left / (1000 * MILLISECOND)),
                            .tv_nsec = (long)(left % (1000 * MILLISECOND))};
    struct pollfd reader = {.fd = output};
    return ppoll(&reader, 1, &wait, &none) > 0 ? WAKE_ORPHANED : WAKE_CHILD;
}

static bool has_ended(pid_t child)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
}

/* Kills and reaps the batch's process and its group; false when some process remains after the grace period. */
static bool kill_all(pid_t child, int *status)
{
    uint64_t until = now() + GRACE_MS * MILLISECOND;
    bool reaped = false;
    for (;;) {
        pid_t pid;
        int other;
        while ((pid = waitpid(-1, &other, WNOHANG)) > 0)
            if (pid == child) {
                *status = other;
                reaped = true;
            }
        if (!reaped)
            kill(child, SIGKILL); /* it may have left its group */
        bool empty = kill(-child, SIGKILL) < 0 && errno == ESRCH;
        if (reaped && empty)
            return true;
        if (sleep_until(until, -1) == WAKE_TIME)
            return false;
    }
}

static int32_t call_under_way(const struct batch *batch, uint32_t step)
{
    if (step < batch->step_count && batch->steps[step].code == STEP_SYSCALL)
        return (int32_t)batch->steps[step].call.number;
    return -1;
}

static void watch(const struct batch *batch, const struct ledger *ledger, pid_t child, uint64_t start, int output,
                  struct ending *ending)
{
    uint64_t until = start + batch->deadline * MILLISECOND;
    enum wake wake = WAKE_CHILD;
    bool ended;
    while (!(ended = has_ended(child)) && wake == WAKE_CHILD)
        wake = sleep_until(until, output);
    ending->elapsed = now() - start;
    ending->step = ledger->at;

    int status = 0;
    bool gone = kill_all(child, &status);
    if (!ended && wake == WAKE_ORPHANED)
        exit(1);
    if (!gone || !ended) {
        ending->how = gone ? END_DEADLINE : END_STUCK;
        ending->detail = call_under_way(batch, ending->step);
    } else if (WIFSIGNALED(status)) {
        ending->how = END_SIGNALLED;
        ending->detail = WTERMSIG(status);
    } else if (ledger->completed) {
        ending->how = END_COMPLETED;
        ending->step = batch->step_count;
    } else {
        ending->how = END_EXITED;
        ending->detail = WEXITSTATUS(status);
    }
    if (!gone)
        shared.reusable = false; /* the stuck process may still write there */
}

bool supervise(const struct batch *batch, int input, int output, struct ending *ending, struct workspace *workspace,
               struct wire_error *error)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *ending = (struct ending){0};
    if (!prepare(batch, workspace, page)) {
        snprintf(error->text, sizeof error->text, "no memory for the arena and the results: %s", strerror(errno));
        return false;
    }
    sigprocmask(SIG_BLOCK, &handled, NULL);
    uint64_t start = now();
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        enter(batch, workspace, input, output, parent);
    int cause = child < 0 ? errno : 0;
    munmap(workspace->arena, batch->arena + page);
    workspace->arena = NULL;
    if (child > 0) {
        setpgid(child, child); /* both sides do it, whichever is first */
        running = child;
        watch(batch, workspace->ledger, child, start, output, ending);
        running = 0;
        cause = (int)workspace->ledger->unable;
        if (cause)
            snprintf(error->text, sizeof error->text, "its process could not set itself up: %s", strerror(cause));
    } else {
        snprintf(error->text, sizeof error->text, "no process for the batch: %s", strerror(cause));
    }
    sigprocmask(SIG_SETMASK, &none, NULL);
    return child > 0 && !cause;
}
