/* SPDX-License-Identifier: MIT */
/* Running a batch, inside its own process. */
#ifndef HIL_STEPS_H
#define HIL_STEPS_H

#include "wire.h"

#include <stdatomic.h>

/* What came of one step. Lives in memory shared with the supervisor, so nothing is lost when the process is killed. */
struct entry {
    _Atomic uint32_t status;
    uint32_t error;
    _Atomic int64_t value;
    uint32_t length; /* of what a READ left in its room of the answer */
};

struct ledger {
    _Atomic uint32_t at; /* the main line's step */
    _Atomic uint32_t completed;
    _Atomic uint32_t unable; /* the errno that kept it from the first step, 0 when it began */
    struct entry entries[];
};

/* A zeroed arena of batch->arena bytes, its guard page behind it. */
struct workspace {
    uint8_t *arena;
    struct ledger *ledger;
    uint8_t *answer;
};

/* Runs all steps and exits with status 0. */
_Noreturn void batch_run(const struct batch *batch, const struct workspace *workspace);

/* Moves a descriptor out of the way of those the batch opens; the same descriptor if there is no room up there. */
int move_high(int fd);

#endif
