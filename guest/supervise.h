/* SPDX-License-Identifier: MIT */
/* Supervision of a batch from outside: its process, its deadline, its end. */
#ifndef HIL_SUPERVISE_H
#define HIL_SUPERVISE_H

#include "steps.h"

struct ending {
    enum batch_end how;
    uint32_t step;
    int32_t detail;
    uint64_t elapsed; /* nanoseconds */
};

/* Installs signal handlers and becomes the reaper of orphans. Call it once, before anything else. */
void supervise_setup(void);

/* Runs a batch to its end, whatever that is. Returns false, with a text, when it could not be started. `input` and
 * `output` are closed in its process; when the reader of `output` is gone, the batch is killed and the agent exits with
 * status 1. The workspace's ledger and answer stay valid until the next call. */
bool supervise(const struct batch *batch, int input, int output, struct ending *ending, struct workspace *workspace,
               struct wire_error *error);

#endif
