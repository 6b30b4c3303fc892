/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HIGH_FD = 500, PIPE_ROOM = 65536, PARSE_ROOM = 256, THREAD_STACK = 256 << 10 };

/* One line of execution: the main line, a thread, or a process that a step forked. */
struct line {
    struct run *run;
    int copier[2]; /* a pipe of its own, for copy_out */
    bool main;
};

struct thread {
    struct line line;
    uint32_t first, end;
    pthread_t id;
    _Atomic bool started;
};

struct run {
    const struct batch *batch;
    const struct workspace *workspace;
    struct thread *threads; /* by index of the THREAD step; NULL when the batch has none */
    uint64_t page;
};

struct outcome {
    int64_t value;
    int error;
};

static struct outcome success(uint64_t value)
{
    return (struct outcome){.value = (int64_t)value};
}

static struct outcome failure(int error)
{
    return (struct outcome){.value = -error, .error = error};
}

static uint64_t evaluate(const struct line *line, const struct operand *operand)
{
    const struct workspace *workspace = line->run->workspace;
    switch (operand->kind) {
    case OPERAND_IMMEDIATE:
        return operand->value;
    case OPERAND_ADDRESS:
        return (uintptr_t)workspace->arena + operand->value;
    case OPERAND_RESULT:
        return (uint64_t)workspace->ledger->entries[operand->value].value;
    default: {
        uint64_t value = 0; /* every architecture is little endian */
        memcpy(&value, workspace->arena + operand->value, 1u << (operand->kind - OPERAND_VALUE8));
        return value;
    }
    }
}

int move_high(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

/* False, with errno, when there is no descriptor left for it. */
static bool open_line(struct line *line, struct run *run, bool main)
{
    *line = (struct line){.run = run, .copier = {-1, -1}, .main = main};
    if (!run->batch->copies)
        return true;
    if (pipe2(line->copier, O_CLOEXEC | O_NONBLOCK))
        return false;
    line->copier[0] = move_high(line->copier[0]);
    line->copier[1] = move_high(line->copier[1]);
    return true;
}

static void close_line(const struct line *line)
{
    if (line->copier[0] >= 0) {
        close(line->copier[0]);
        close(line->copier[1]);
    }
}

/* Copies memory that may not be readable; returns the number of bytes copied, -errno when there were none. The kernel
 * reads the memory, by write(2) to a pipe: process_vm_readv(2) refuses VM_PFNMAP mappings, as perf's ring buffer is in
 * newer kernels. Chunks end on page boundaries of the source, because a pipe takes nothing of a page that faults. */
static int64_t copy_out(const struct line *line, uint8_t *to, uint64_t from, uint64_t length)
{
    uint64_t page = line->run->page, copied = 0;
    while (copied < length) {
        uint64_t into = (from + copied) % page, chunk = into ? page - into : PIPE_ROOM;
        if (chunk > length - copied)
            chunk = length - copied;
        /* Not by write(), which a sanitizer's library replaces by one that reads the memory itself. */
        long wrote = syscall(SYS_write, line->copier[1], from + copied, chunk);
        if (wrote <= 0)
            return copied ? (int64_t)copied : -errno;
        for (long got = 0; got < wrote;) {
            ssize_t more = read(line->copier[0], to + copied + got, (size_t)(wrote - got));
            if (more <= 0)
                return -EIO;
            got += more;
        }
        copied += (uint64_t)wrote;
    }
    return (int64_t)copied;
}

/* Atomic instructions need natural alignment (arm64 faults otherwise); other addresses use a fence and plain bytes. */
static void store(uint64_t address, unsigned width, uint64_t value)
{
    void *at = (void *)(uintptr_t)address;
    if (address % width) {
        atomic_thread_fence(memory_order_release);
        memcpy(at, &value, width);
        return;
    }
    switch (width) {
    case 1:
        __atomic_store_n((uint8_t *)at, (uint8_t)value, __ATOMIC_RELEASE);
        break;
    case 2:
        __atomic_store_n((uint16_t *)at, (uint16_t)value, __ATOMIC_RELEASE);
        break;
    case 4:
        __atomic_store_n((uint32_t *)at, (uint32_t)value, __ATOMIC_RELEASE);
        break;
    default:
        __atomic_store_n((uint64_t *)at, value, __ATOMIC_RELEASE);
        break;
    }
}

static uint64_t load(uint64_t address, unsigned width)
{
    const void *at = (const void *)(uintptr_t)address;
    if (address % width) {
        uint64_t value = 0;
        memcpy(&value, at, width);
        atomic_thread_fence(memory_order_acquire);
        return value;
    }
    switch (width) {
    case 1:
        return __atomic_load_n((const uint8_t *)at, __ATOMIC_ACQUIRE);
    case 2:
        return __atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE);
    case 4:
        return __atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE);
    default:
        return __atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE);
    }
}

static void put_piece(const struct line *line, const struct piece *piece)
{
    if (piece->length)
        memcpy((void *)(uintptr_t)evaluate(line, &piece->place), piece->bytes, piece->length);
}

static struct outcome make_call(const struct line *line, const struct step *step)
{
    uint64_t a[MAX_ARGUMENTS] = {0};
    for (uint32_t i = 0; i < step->count; i++)
        a[i] = evaluate(line, &step->call.arguments[i]);
    errno = 0;
    long value = syscall((long)step->call.number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return value == -1 && errno ? failure(errno) : success((uint64_t)value);
}

static struct outcome read_back(const struct line *line, const struct step *step, struct entry *entry)
{
    int64_t length = (int64_t)evaluate(line, &step->read.length);
    if (length < 0)
        return failure(EINVAL);
    if (length > step->read.maximum)
        length = step->read.maximum;
    uint8_t *room = line->run->workspace->answer + step->read.answer;
    int64_t copied = copy_out(line, room, evaluate(line, &step->read.address), (uint64_t)length);
    if (copied < 0)
        return failure((int)-copied);
    entry->length = (uint32_t)copied;
    return success((uint64_t)copied);
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static unsigned digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10u : 16;
}

static struct outcome parse(const struct line *line, const struct step *step)
{
    uint8_t text[PARSE_ROOM];
    int64_t length = (int64_t)evaluate(line, &step->parse.length);
    if (length < 0)
        return failure(EINVAL);
    if (length > PARSE_ROOM)
        length = PARSE_ROOM;
    length = copy_out(line, text, evaluate(line, &step->parse.address), (uint64_t)length);
    if (length < 0)
        return failure((int)-length);

    const uint8_t *at = text, *end = text + length;
    unsigned base = step->parse.base;
    while (at < end && is_space(*at))
        at++;
    if (base == 16 && end - at > 2 && at[0] == '0' && (at[1] | 0x20) == 'x' && digit(at[2]) < 16)
        at += 2;
    const uint8_t *first = at;
    uint64_t value = 0;
    for (; at < end && digit(*at) < base; at++)
        if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, digit(*at), &value))
            return failure(ERANGE);
    return at == first ? failure(EINVAL) : success(value);
}

static struct outcome pin(uint64_t cpu)
{
    if (cpu >= CPU_SETSIZE)
        return failure(EINVAL);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) ? failure(errno) : success(0);
}

static void run_steps(struct line *line, uint32_t first, uint32_t end);

static void *thread_main(void *argument)
{
    struct thread *thread = argument;
    run_steps(&thread->line, thread->first, thread->end);
    close_line(&thread->line);
    return NULL;
}

static struct outcome start_thread(struct line *line, uint32_t first, uint32_t end)
{
    struct thread *thread = &line->run->threads[first - 1];
    thread->first = first;
    thread->end = end;
    if (!open_line(&thread->line, line->run, false))
        return failure(errno);
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (!error) {
        pthread_attr_setstacksize(&attributes, THREAD_STACK);
        error = pthread_create(&thread->id, &attributes, thread_main, thread);
        pthread_attr_destroy(&attributes);
    }
    if (error) {
        close_line(&thread->line);
        return failure(error);
    }
    thread->started = true;
    return success(0);
}

static struct outcome join(struct thread *thread)
{
    if (!thread->started)
        return failure(ESRCH);
    int error = pthread_join(thread->id, NULL);
    return error ? failure(error) : success(0);
}

static struct outcome start_process(struct line *line, uint32_t first, uint32_t end)
{
    struct line own; /* opened in the parent, which can return an error */
    if (!open_line(&own, line->run, false))
        return failure(errno);
    pid_t pid = fork();
    int cause = errno;
    if (pid)
        close_line(&own);
    if (pid < 0)
        return failure(cause);
    if (pid)
        return success((uint64_t)pid);
    close_line(line);
    run_steps(&own, first, end);
    _exit(0);
}

static struct outcome skip(struct entry *steps, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        steps[i].status = STATUS_SKIPPED;
    return success(count);
}

static void forget(struct entry *steps, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        steps[i].status = STATUS_NOT_REACHED;
        steps[i].value = -ECANCELED;
        steps[i].error = 0;
        steps[i].length = 0;
    }
}

static struct outcome repeat(struct line *line, uint32_t times, uint32_t first, uint32_t end)
{
    struct entry *entries = line->run->workspace->ledger->entries;
    for (uint32_t round = 0; round < times; round++) {
        entries[first - 1].value = round; /* read when the batch is killed */
        forget(&entries[first], end - first);
        run_steps(line, first, end);
    }
    return success(times);
}

/* Runs step `index` with the steps it owns; returns the index of the step after them. */
static uint32_t run_step(struct line *line, uint32_t index)
{
    struct run *run = line->run;
    const struct step *step = &run->batch->steps[index];
    struct entry *entry = &run->workspace->ledger->entries[index];
    uint32_t first = index + 1, next = first;
    struct outcome outcome = success(0);

    if (line->main)
        run->workspace->ledger->at = index;
    entry->status = STATUS_RUNNING;
    switch (step->code) {
    case STEP_WRITE:
        put_piece(line, &step->piece);
        outcome = success(step->piece.length);
        break;
    case STEP_STORE:
        store(evaluate(line, &step->memory.address), step->memory.width, evaluate(line, &step->memory.value));
        break;
    case STEP_LOAD:
        outcome = success(load(evaluate(line, &step->memory.address), step->memory.width));
        break;
    case STEP_SYSCALL:
        outcome = make_call(line, step);
        break;
    case STEP_READ:
        outcome = read_back(line, step, entry);
        break;
    case STEP_PARSE:
        outcome = parse(line, step);
        break;
    case STEP_SKIP:
        if ((int64_t)evaluate(line, &step->condition) < 0) {
            outcome = skip(entry + 1, step->count);
            next += step->count;
        }
        break;
    case STEP_REPEAT:
        next += step->count;
        outcome = repeat(line, step->times, first, next);
        break;
    case STEP_THREAD:
        next += step->count;
        outcome = start_thread(line, first, next);
        break;
    case STEP_JOIN:
        outcome = join(&run->threads[step->thread]);
        break;
    case STEP_PROCESS:
        next += step->count;
        outcome = start_process(line, first, next);
        break;
    case STEP_PIN:
        outcome = pin(evaluate(line, &step->cpu));
        break;
    }
    entry->error = (uint32_t)outcome.error;
    entry->value = outcome.value;
    entry->status = STATUS_DONE;
    return next;
}

static void run_steps(struct line *line, uint32_t first, uint32_t end)
{
    while (first < end)
        first = run_step(line, first);
}

_Noreturn static void give_up(const struct workspace *workspace, int cause)
{
    workspace->ledger->unable = (uint32_t)cause;
    _exit(1);
}

void batch_run(const struct batch *batch, const struct workspace *workspace)
{
    struct run run = {.batch = batch, .workspace = workspace, .page = (uint64_t)sysconf(_SC_PAGESIZE)};
    struct line line;
    if (batch->threads && !(run.threads = calloc(batch->step_count, sizeof *run.threads)))
        give_up(workspace, errno);
    if (!open_line(&line, &run, true))
        give_up(workspace, errno);
    for (uint32_t i = 0; i < batch->piece_count; i++)
        put_piece(&line, &batch->pieces[i]);
    run_steps(&line, 0, batch->step_count);
    workspace->ledger->completed = true;
    _exit(0);
}
