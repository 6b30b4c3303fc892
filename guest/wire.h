/* SPDX-License-Identifier: MIT */
/* The wire format (WIRE.md): frames, and batches that are completely checked when they are decoded. */
#ifndef HIL_WIRE_H
#define HIL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROTOCOL_VERSION = 3,
    FRAME_MAGIC = 0x4c48,
    FRAME_HEADER = 12,
    RESULT_HEADER = 20,
    RESULT_RECORD = 20,
    MAX_FRAME = 64 << 20,
    MAX_ARENA = 64 << 20,
    MAX_ANSWER = 64 << 20,
    MAX_STEPS = 65535,
    MAX_DEADLINE = 3600 * 1000,
    MAX_ARGUMENTS = 6,
    MAX_DEPTH = 8,
};

#define NO_TAG UINT32_MAX

enum frame_type { FRAME_BATCH = 1, FRAME_HELLO, FRAME_RESULT, FRAME_ERROR };

enum operand_kind {
    OPERAND_IMMEDIATE,
    OPERAND_ADDRESS,
    OPERAND_RESULT,
    OPERAND_VALUE8,
    OPERAND_VALUE16,
    OPERAND_VALUE32,
    OPERAND_VALUE64,
};

enum step_code {
    STEP_WRITE = 1,
    STEP_STORE,
    STEP_LOAD,
    STEP_SYSCALL,
    STEP_READ,
    STEP_PARSE,
    STEP_SKIP,
    STEP_REPEAT,
    STEP_THREAD,
    STEP_JOIN,
    STEP_PROCESS,
    STEP_PIN,
};

enum step_status { STATUS_NOT_REACHED, STATUS_RUNNING, STATUS_DONE, STATUS_SKIPPED };

enum batch_end { END_COMPLETED, END_SIGNALLED, END_DEADLINE, END_STUCK, END_EXITED };

struct operand {
    uint64_t value;
    enum operand_kind kind;
};

/* Bytes for the arena. */
struct piece {
    struct operand place;
    const uint8_t *bytes;
    uint32_t length;
};

struct step {
    enum step_code code;
    uint32_t offset; /* in the payload, for error texts */
    uint32_t count;  /* SKIP, REPEAT, THREAD, PROCESS: steps that belong to it; SYSCALL: arguments */
    /* clang-format off */
    union {
        struct piece piece;                                                             /* WRITE */
        struct { struct operand address, value; uint8_t width; } memory;                /* STORE, LOAD */
        struct { struct operand arguments[MAX_ARGUMENTS]; uint32_t number; } call;      /* SYSCALL */
        struct { struct operand address, length; uint32_t maximum, answer; } read;      /* READ; answer: offset of its room */
        struct { struct operand address, length; uint8_t base; } parse;                 /* PARSE */
        struct operand condition;                                                       /* SKIP */
        uint32_t times;                                                                 /* REPEAT */
        uint32_t thread;                                                                /* JOIN: index of the THREAD step */
        struct operand cpu;                                                             /* PIN */
    };
    /* clang-format on */
};

struct batch {
    uint32_t deadline; /* milliseconds */
    uint32_t arena;    /* bytes, in whole pages */
    uint32_t answer;   /* bytes of space for what READs send back */
    bool copies;       /* it has READ or PARSE steps */
    bool threads;      /* it has THREAD steps */
    uint32_t piece_count, step_count;
    struct piece *pieces;
    struct step *steps;
};

struct wire_error {
    char text[160];
};

/* Decodes the payload of a BATCH frame; returns false, with a text, when it is not valid. The batch points into the
 * payload; release it in either case. */
bool batch_decode(struct batch *batch, const uint8_t *payload, size_t size, struct wire_error *error);
void batch_release(struct batch *batch);

/* Little-endian fields: store one and return the address after it. */
uint8_t *put16(uint8_t *at, uint16_t value);
uint8_t *put32(uint8_t *at, uint32_t value);
uint8_t *put64(uint8_t *at, uint64_t value);
uint8_t *put_frame(uint8_t *at, enum frame_type type, uint32_t tag, uint32_t length);
uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);

#endif
