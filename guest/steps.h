/* SPDX-License-Identifier: MIT */
/* Running a batch, inside its own process. */
#ifndef HIL_STEPS_H
#define HIL_STEPS_H

#include "wire.h"

#include <stdatomic.h>

/* The result of one step, in memory shared with the supervisor, so that it is kept when the process is killed. */
struct entry {
    _Atomic uint32_t status;
    uint32_t error;
    _Atomic int64_t value;
    uint32_t length; /* bytes that a READ stored in its part of the answer */
};

struct ledger {
    _Atomic uint32_t at; /* the main line's step */
    _Atomic uint32_t completed;
    _Atomic uint32_t unable; /* errno when the process failed before the first step, else 0 */
    struct entry entries[];
};

/* A zeroed arena of batch->arena bytes, followed by its guard page. */
struct workspace {
    uint8_t *arena;
    struct ledger *ledger;
    uint8_t *answer;
};

/* Runs all steps and exits with status 0. */
_Noreturn void batch_run(const struct batch *batch, const struct workspace *workspace);

/* Moves a descriptor above those that the batch opens; returns the same descriptor when that is not possible. */
int move_high(int fd);

#endif
