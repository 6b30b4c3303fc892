/* SPDX-License-Identifier: MIT */
/* hil-agent: carries out batches of primitive steps for a client at the other end of stdin and stdout. See WIRE.md. */
#include "supervise.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { EXIT_ORPHANED = 1, EXIT_MALFORMED = 2, EXIT_UNCONNECTED = 3, OUTPUT_ROOM = 64 << 10, PAYLOAD_KEPT = 1 << 20 };

static int input, output;
static uint8_t pending[OUTPUT_ROOM];
static size_t pending_size;

static void wait_for(int fd, short events)
{
    poll(&(struct pollfd){.fd = fd, .events = events}, 1, -1);
}

static void write_all(const uint8_t *bytes, size_t size)
{
    while (size) {
        ssize_t wrote = write(output, bytes, size);
        if (wrote > 0) {
            bytes += wrote;
            size -= (size_t)wrote;
        } else if (wrote < 0 && errno == EAGAIN) {
            wait_for(output, POLLOUT);
        } else if (wrote < 0 && errno != EINTR) {
            exit(EXIT_ORPHANED);
        }
    }
}

static void flush(void)
{
    write_all(pending, pending_size);
    pending_size = 0;
}

static void put(const void *bytes, size_t size)
{
    if (size > sizeof pending - pending_size)
        flush();
    if (size > sizeof pending) {
        write_all(bytes, size);
        return;
    }
    memcpy(pending + pending_size, bytes, size);
    pending_size += size;
}

/* Reads exactly `size` bytes; fewer only at the end of the input. */
static size_t read_all(uint8_t *bytes, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t more = read(input, bytes + got, size - got);
        if (more == 0 || (more < 0 && errno != EINTR && errno != EAGAIN))
            break;
        if (more > 0)
            got += (size_t)more;
        else if (errno == EAGAIN)
            wait_for(input, POLLIN);
    }
    return got;
}

static void send_header(enum frame_type type, uint32_t tag, size_t length)
{
    uint8_t header[FRAME_HEADER];
    put_frame(header, type, tag, (uint32_t)length);
    put(header, sizeof header);
}

static void send_error(uint32_t tag, const char *text)
{
    send_header(FRAME_ERROR, tag, strlen(text));
    put(text, strlen(text));
    flush();
}

static void send_hello(void)
{
    struct utsname name;
    uname(&name);
    uint16_t machine = (uint16_t)strlen(name.machine), release = (uint16_t)strlen(name.release);
    uint8_t numbers[16], length[2];
    put32(put32(put32(put32(numbers, PROTOCOL_VERSION), (uint32_t)sysconf(_SC_PAGESIZE)),
                (uint32_t)sysconf(_SC_NPROCESSORS_CONF)),
          (uint32_t)getpid());
    send_header(FRAME_HELLO, NO_TAG, sizeof numbers + 2 * sizeof length + machine + release);
    put(numbers, sizeof numbers);
    put16(length, machine);
    put(length, sizeof length);
    put(name.machine, machine);
    put16(length, release);
    put(length, sizeof length);
    put(name.release, release);
    flush();
}

/* One entry as it is sent. It is read once, because a stuck process may still write to the ledger. */
struct snapshot {
    uint32_t status, error, length;
    int64_t value;
};

static struct snapshot take_snapshot(const struct batch *batch, const struct workspace *workspace, uint32_t index)
{
    const struct entry *entry = &workspace->ledger->entries[index];
    const struct step *step = &batch->steps[index];
    struct snapshot snapshot = {entry->status, entry->error, 0, entry->value};
    if (step->code == STEP_READ) {
        uint32_t length = *(const volatile uint32_t *)&entry->length;
        snapshot.length = length < step->read.maximum ? length : step->read.maximum;
    }
    return snapshot;
}

static void send_result(uint32_t tag, const struct batch *batch, const struct ending *ending,
                        const struct workspace *workspace)
{
    uint32_t steps = workspace ? batch->step_count : 0, count = 0;
    size_t length = RESULT_HEADER;
    struct snapshot *results = calloc(steps + 1, sizeof *results);
    if (!results) {
        send_error(tag, "no memory to send the results");
        return;
    }
    for (uint32_t i = 0; i < steps; i++) {
        results[i] = take_snapshot(batch, workspace, i);
        if (results[i].status == STATUS_NOT_REACHED)
            continue;
        length += RESULT_RECORD + results[i].length;
        count++;
    }

    uint8_t header[RESULT_HEADER], record[RESULT_RECORD];
    put64(put32(put32(put16(put16(header, ending->how), (uint16_t)count), ending->step), (uint32_t)ending->detail),
          ending->elapsed);
    send_header(FRAME_RESULT, tag, length);
    put(header, sizeof header);
    for (uint32_t i = 0; i < steps; i++) {
        if (results[i].status == STATUS_NOT_REACHED)
            continue;
        put32(put64(put16(put16(put32(record, i), (uint16_t)results[i].status), (uint16_t)results[i].error),
                    (uint64_t)results[i].value),
              results[i].length);
        put(record, sizeof record);
    }
    for (uint32_t i = 0; i < steps; i++)
        if (results[i].status != STATUS_NOT_REACHED && results[i].length)
            put(workspace->answer + batch->steps[i].read.answer, results[i].length);
    flush();
    free(results);
}

/* With `check_only` it decodes but runs nothing, for a fuzzer, which must not make system calls at random. */
static void serve(uint32_t tag, const uint8_t *payload, size_t size, bool check_only)
{
    struct batch batch;
    struct wire_error error;
    struct ending ending = {0};
    struct workspace workspace = {0};
    if (!batch_decode(&batch, payload, size, &error))
        send_error(tag, error.text);
    else if (check_only)
        send_result(tag, &batch, &ending, NULL);
    else if (!supervise(&batch, input, output, &ending, &workspace, &error))
        send_error(tag, error.text);
    else
        send_result(tag, &batch, &ending, &workspace);
    batch_release(&batch);
}

/* Serves until the input ends; returns the exit status. */
static int serve_all(bool check_only)
{
    uint8_t header[FRAME_HEADER], *payload = NULL;
    size_t room = 0;
    for (;;) {
        size_t got = read_all(header, sizeof header);
        if (got == 0)
            break;
        const char *problem = NULL;
        size_t length = got == sizeof header ? get32(header + 8) : 0;
        if (got < sizeof header)
            problem = "the input ends inside a frame's header";
        else if (get16(header) != FRAME_MAGIC)
            problem = "a frame begins with the wrong magic";
        else if (get16(header + 2) == FRAME_HELLO && !length) {
            send_hello();
            continue;
        } else if (get16(header + 2) != FRAME_BATCH)
            problem = "a frame is not of type BATCH";
        else if (length > MAX_FRAME)
            problem = "a frame is longer than 64 MiB";
        if (!problem && (length > room || room > PAYLOAD_KEPT)) {
            free(payload);
            room = length > 4096 ? length : 4096;
            payload = malloc(room);
            if (!payload)
                problem = "no memory for a frame";
        }
        if (!problem && read_all(payload, length) < length)
            problem = "the input ends inside a frame";
        if (problem) {
            send_error(NO_TAG, problem);
            free(payload);
            return EXIT_MALFORMED;
        }
        serve(get32(header + 4), payload, length, check_only);
    }
    free(payload);
    return 0;
}

/* Moves the streams away from descriptors 0 and 1, so that no batch can read or write them by accident. */
static bool move_streams(void)
{
    input = move_high(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    output = move_high(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (input < 0 || output < 0 || null < 0)
        return false;
    for (int fd = 0; fd <= 2; fd++)
        if (dup2(null, fd) < 0)
            return false;
    if (null > 2)
        close(null);
    return true;
}

/* Connects stdin and stdout to an IPv4 address, in a session of its own as a login has one. */
static bool connect_streams(const char *address, const char *port)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || inet_pton(AF_INET, address, &peer.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&peer, sizeof peer) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) || dup2(fd, STDIN_FILENO) < 0 ||
        dup2(fd, STDOUT_FILENO) < 0)
        return false;
    setsid();
    return true;
}

int main(int count, char **arguments)
{
    bool check_only = count == 2 && strcmp(arguments[1], "--check") == 0;
    bool connected = count == 4 && strcmp(arguments[1], "--connect") == 0;
    if (count > 1 && !check_only && !connected) {
        fprintf(stderr, "usage: hil-agent [--check | --connect ADDRESS PORT]\n"
                        "frames on stdin and stdout; --check decodes batches, but runs nothing;\n"
                        "--connect has them on a TCP connection that it makes, and greets only when it is asked\n");
        return EXIT_MALFORMED;
    }
    if (connected && !connect_streams(arguments[2], arguments[3]))
        return EXIT_UNCONNECTED;
    if (!move_streams()) {
        perror("hil-agent: cannot set up stdin, stdout and /dev/null");
        return EXIT_MALFORMED;
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* crashes are expected results; no core dumps */
    supervise_setup();
    if (!connected)
        send_hello();
    return serve_all(check_only);
}
