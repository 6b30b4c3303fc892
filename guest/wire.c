/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint8_t *put16(uint8_t *at, uint16_t value)
{
    at[0] = value & 0xff;
    at[1] = value >> 8;
    return at + 2;
}

uint8_t *put32(uint8_t *at, uint32_t value)
{
    return put16(put16(at, value & 0xffff), value >> 16);
}

uint8_t *put64(uint8_t *at, uint64_t value)
{
    return put32(put32(at, value & 0xffffffff), value >> 32);
}

uint8_t *put_frame(uint8_t *at, enum frame_type type, uint32_t tag, uint32_t length)
{
    return put32(put32(put16(put16(at, FRAME_MAGIC), type), tag), length);
}

uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t get32(const uint8_t *at)
{
    return get16(at) | (uint32_t)get16(at + 2) << 16;
}

enum { PIECE_MIN = 9 + 4 }; /* bytes of an empty piece: place and length */

/* Reads fields in order. After the first failure every field is 0, so a decoder needs one check per item. */
struct reader {
    const uint8_t *payload;
    size_t at, size;
    size_t item; /* where the item being read began, for error texts */
    const struct batch *batch;
    struct wire_error *error;
    bool failed;
};

static __attribute__((format(printf, 2, 3))) void fail(struct reader *reader, const char *format, ...)
{
    if (reader->failed)
        return;
    reader->failed = true;
    int used = snprintf(reader->error->text, sizeof reader->error->text, "at offset %zu: ", reader->item);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->error->text + used, sizeof reader->error->text - (size_t)used, format, arguments);
    va_end(arguments);
}

static const uint8_t *take(struct reader *reader, size_t length)
{
    if (!reader->failed && length > reader->size - reader->at)
        fail(reader, "%zu bytes wanted, the payload ends after %zu", length, reader->size - reader->at);
    if (reader->failed)
        return NULL;
    const uint8_t *bytes = reader->payload + reader->at;
    reader->at += length;
    return bytes;
}

static uint8_t take8(struct reader *reader)
{
    const uint8_t *bytes = take(reader, 1);
    return bytes ? bytes[0] : 0;
}

static uint32_t take32(struct reader *reader)
{
    const uint8_t *bytes = take(reader, 4);
    return bytes ? get32(bytes) : 0;
}

static uint64_t take64(struct reader *reader)
{
    uint32_t low = take32(reader);
    return low | (uint64_t)take32(reader) << 32;
}

/* An operand of step `index`; pieces use index 0, which has no earlier results. */
static struct operand take_operand(struct reader *reader, uint32_t index)
{
    uint8_t kind = take8(reader);
    struct operand operand = {.kind = kind, .value = take64(reader)};
    uint64_t arena = reader->batch->arena;
    switch (kind) {
    case OPERAND_IMMEDIATE:
        break;
    case OPERAND_ADDRESS:
        if (operand.value > arena)
            fail(reader, "offset %llu is outside the arena", (unsigned long long)operand.value);
        break;
    case OPERAND_RESULT:
        if (operand.value >= index)
            fail(reader, "step %u uses the result of step %llu", index, (unsigned long long)operand.value);
        break;
    case OPERAND_VALUE8:
    case OPERAND_VALUE16:
    case OPERAND_VALUE32:
    case OPERAND_VALUE64: {
        uint64_t width = UINT64_C(1) << (kind - OPERAND_VALUE8);
        if (width > arena || operand.value > arena - width)
            fail(reader, "value at offset %llu is outside the arena", (unsigned long long)operand.value);
        break;
    }
    default:
        fail(reader, "unknown operand kind %u", kind);
    }
    return operand;
}

static struct piece take_piece(struct reader *reader)
{
    struct piece piece = {.place = take_operand(reader, 0)};
    if (piece.place.kind != OPERAND_ADDRESS)
        fail(reader, "a place must be in the arena, not of operand kind %u", piece.place.kind);
    piece.length = take32(reader);
    if (piece.length > reader->batch->arena - piece.place.value)
        fail(reader, "%u bytes do not fit into the arena there", piece.length);
    piece.bytes = take(reader, piece.length);
    return piece;
}

static uint8_t take_width(struct reader *reader)
{
    uint8_t width = take8(reader);
    if (width != 1 && width != 2 && width != 4 && width != 8)
        fail(reader, "width %u is not 1, 2, 4 or 8", width);
    return width;
}

static void take_step(struct reader *reader, struct batch *batch, uint32_t index)
{
    struct step *step = &batch->steps[index];
    uint8_t code = take8(reader);
    step->code = code;
    step->offset = (uint32_t)reader->item;
    switch (code) {
    case STEP_WRITE:
        step->piece = take_piece(reader);
        break;
    case STEP_STORE:
        step->memory.width = take_width(reader);
        step->memory.address = take_operand(reader, index);
        step->memory.value = take_operand(reader, index);
        break;
    case STEP_LOAD:
        step->memory.width = take_width(reader);
        step->memory.address = take_operand(reader, index);
        break;
    case STEP_SYSCALL:
        step->call.number = take32(reader);
        step->count = take8(reader);
        if (step->count > MAX_ARGUMENTS)
            fail(reader, "a system call has at most 6 arguments, not %u", step->count);
        for (uint32_t i = 0; i < step->count && !reader->failed; i++)
            step->call.arguments[i] = take_operand(reader, index);
        break;
    case STEP_READ:
        step->read.address = take_operand(reader, index);
        step->read.length = take_operand(reader, index);
        step->read.maximum = take32(reader);
        step->read.answer = batch->answer;
        if (step->read.maximum > MAX_ANSWER - batch->answer)
            fail(reader, "the reads of the batch may send back more than %d bytes", MAX_ANSWER);
        else
            batch->answer += step->read.maximum;
        batch->copies = true;
        break;
    case STEP_PARSE:
        step->parse.address = take_operand(reader, index);
        step->parse.length = take_operand(reader, index);
        step->parse.base = take8(reader);
        if (step->parse.base != 8 && step->parse.base != 10 && step->parse.base != 16)
            fail(reader, "base %u is not 8, 10 or 16", step->parse.base);
        batch->copies = true;
        break;
    case STEP_SKIP:
        step->condition = take_operand(reader, index);
        step->count = take32(reader);
        break;
    case STEP_REPEAT:
        step->times = take32(reader);
        step->count = take32(reader);
        break;
    case STEP_THREAD:
        batch->threads = true;
        step->count = take32(reader);
        break;
    case STEP_PROCESS:
        step->count = take32(reader);
        break;
    case STEP_JOIN:
        step->thread = take32(reader);
        break;
    case STEP_PIN:
        step->cpu = take_operand(reader, index);
        break;
    default:
        fail(reader, "unknown step code %u", code);
    }
    if (code >= STEP_SKIP && code <= STEP_PROCESS && code != STEP_JOIN && step->count > batch->step_count - index - 1)
        fail(reader, "step %u has %u steps, but only %u follow", index, step->count, batch->step_count - index - 1);
}

/* The rules on blocks. An outer block is on the stack while its steps are visited. */
struct block {
    uint32_t opener, end;
};

/* Fills `inside` with the REPEAT, THREAD or PROCESS that each step is in, as index + 1; 0 for the main line. */
static bool nest(struct reader *reader, const struct batch *batch, uint32_t *inside)
{
    struct block stack[MAX_DEPTH + 1] = {{0, batch->step_count}};
    unsigned depth = 0;
    for (uint32_t i = 0; i < batch->step_count; i++) {
        const struct step *step = &batch->steps[i];
        while (depth && i >= stack[depth].end)
            depth--;
        reader->item = step->offset;
        inside[i] = depth ? stack[depth].opener + 1 : 0;
        if (step->code != STEP_REPEAT && step->code != STEP_THREAD && step->code != STEP_PROCESS)
            continue;
        uint32_t end = i + 1 + step->count;
        if (end > stack[depth].end)
            fail(reader, "the block of step %u reaches past the one it is in", i);
        else if (depth == MAX_DEPTH)
            fail(reader, "the block of step %u is nested more than %d deep", i, MAX_DEPTH);
        else
            stack[++depth] = (struct block){i, end};
        if (reader->failed)
            return false;
    }
    return true;
}

/* The innermost block around step `index` that is of kind `code`, as index + 1; 0 if there is none. */
static uint32_t around(const struct batch *batch, const uint32_t *inside, uint32_t index, enum step_code code)
{
    uint32_t block = inside[index];
    while (block && batch->steps[block - 1].code != code)
        block = inside[block - 1];
    return block;
}

static void check_blocks(struct reader *reader, const struct batch *batch, uint32_t *inside, bool *joined)
{
    if (!nest(reader, batch, inside))
        return;
    for (uint32_t i = 0; i < batch->step_count; i++) {
        const struct step *step = &batch->steps[i];
        reader->item = step->offset;
        uint32_t thread = step->code == STEP_JOIN ? step->thread : 0;
        uint32_t after = i + 1 + step->count, block = inside[i];
        switch (step->code) {
        case STEP_SKIP: {
            uint32_t end = block ? block + batch->steps[block - 1].count : batch->step_count;
            if (after > end || (after < end && inside[after] != block))
                fail(reader, "the skip of step %u crosses the bounds of a block", i);
            break;
        }
        case STEP_THREAD:
            if (around(batch, inside, i, STEP_REPEAT))
                fail(reader, "step %u is a thread in a repeated block", i);
            break;
        case STEP_JOIN:
            if (thread >= i || batch->steps[thread].code != STEP_THREAD)
                fail(reader, "step %u joins step %u, which is not an earlier thread", i, thread);
            else if (joined[thread])
                fail(reader, "step %u joins a thread that is already joined", i);
            else if (around(batch, inside, i, STEP_REPEAT))
                fail(reader, "step %u is a join in a repeated block", i);
            else if (around(batch, inside, i, STEP_PROCESS) != around(batch, inside, thread, STEP_PROCESS))
                fail(reader, "step %u joins a thread of another process", i);
            else
                joined[thread] = true;
            break;
        default:
            break;
        }
    }
}

bool batch_decode(struct batch *batch, const uint8_t *payload, size_t size, struct wire_error *error)
{
    struct reader reader = {.payload = payload, .size = size, .batch = batch, .error = error};
    *batch = (struct batch){0};
    batch->deadline = take32(&reader);
    uint32_t arena = take32(&reader);
    uint32_t pieces = take32(&reader), steps = take32(&reader);
    if (reader.failed)
        return false;
    if (batch->deadline < 1 || batch->deadline > MAX_DEADLINE)
        fail(&reader, "deadline of %u ms is not in 1 to %d", batch->deadline, MAX_DEADLINE);
    if (arena > MAX_ARENA)
        fail(&reader, "arena of %u bytes, at most %d are possible", arena, MAX_ARENA);
    if (steps > MAX_STEPS)
        fail(&reader, "%u steps, at most %d are possible", steps, MAX_STEPS);
    if (pieces > size / PIECE_MIN) /* before memory is allocated for them */
        fail(&reader, "%u pieces in %zu bytes", pieces, size);
    if (reader.failed)
        return false;

    uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
    batch->arena = (arena + page - 1) / page * page;
    batch->pieces = calloc(pieces + 1, sizeof *batch->pieces);
    batch->steps = calloc(steps + 1, sizeof *batch->steps);
    uint32_t *inside = calloc(steps + 1, sizeof *inside);
    bool *joined = calloc(steps + 1, sizeof *joined);
    if (!batch->pieces || !batch->steps || !inside || !joined)
        fail(&reader, "out of memory for %u pieces and %u steps", pieces, steps);
    batch->piece_count = pieces;
    batch->step_count = steps;
    for (uint32_t i = 0; i < pieces && !reader.failed; i++) {
        reader.item = reader.at;
        batch->pieces[i] = take_piece(&reader);
    }
    for (uint32_t i = 0; i < steps && !reader.failed; i++) {
        reader.item = reader.at;
        take_step(&reader, batch, i);
    }
    reader.item = reader.at;
    if (!reader.failed && reader.at != size)
        fail(&reader, "%zu bytes follow the last step", size - reader.at);
    if (!reader.failed)
        check_blocks(&reader, batch, inside, joined);
    free(inside);
    free(joined);
    return !reader.failed;
}

void batch_release(struct batch *batch)
{
    free(batch->pieces);
    free(batch->steps);
    *batch = (struct batch){0};
}
