# SPDX-License-Identifier: MIT
"""What a machine that was saved and restored lacks: the time of day, and random numbers that are its own. And a proof
that its timer fires, which is what emulators forget to save.

The machine's own clock stood still, so only CLOCK_REALTIME is behind. Its random pool is the same in every machine that
is restored from one state: new bytes are credited to it (RNDADDENTROPY), and the generator is seeded again from it at
once (RNDRESEEDCRNG, since 4.14; before, every reader takes from the pool), drivers/char/random.c. The kernel makes
boot_id when it is first read, which nothing does before a state is saved.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable

from harness.abi.numbers import O_WRONLY
from harness.lowering.context import Guest, Lowering
from hil.agent.builder import BatchBuilder
from hil.agent.results import BatchResult
from hil.agent.steps import Batch
from hil.errors import MachineLost

_CLOCK_REALTIME = 0
_RNDADDENTROPY = 0x40085203  # include/uapi/linux/random.h: _IOW('R', 3, int[2])
_RNDRESEEDCRNG = 0x5207
_SEED = 64
"""Bytes, twice what any of these generators holds as its key."""
_NAP = 10_000_000
"""Nanoseconds: longer than a tick (4 ms at CONFIG_HZ=250), so that its end waits for a timer that was set before the
state was saved."""


def waking(guest: Guest, deadline: float) -> tuple[Batch, Callable[[BatchResult], None]]:
    """Returns the batch that sets the clock, feeds the pool and sleeps for a moment, and the reader of its result.

    The reader raises MachineLost when one of them failed. In a machine without a timer the batch never ends.
    """
    lowering = Lowering(guest, "waking", BatchBuilder())
    seed = lowering.builder.alloc(struct.pack("<ii", 8 * _SEED, _SEED) + os.urandom(_SEED))
    opened = lowering.open("/dev/urandom", O_WRONLY)
    fed = lowering.call("ioctl", opened, _RNDADDENTROPY, seed)
    lowering.call("ioctl", opened, _RNDRESEEDCRNG)
    lowering.call("close", opened)
    now = lowering.builder.alloc(struct.pack("<qq", *divmod(time.time_ns(), 1_000_000_000)))
    set_clock = lowering.call("clock_settime", _CLOCK_REALTIME, now)
    slept = lowering.call("nanosleep", lowering.builder.alloc(struct.pack("<qq", 0, _NAP)), 0)

    def read(results: BatchResult) -> None:
        steps = ("feed the random pool of", fed), ("set the clock of", set_clock), ("sleep in", slept)
        for what, step in steps:
            if error := results.done(step).error:
                raise MachineLost(f"cannot {what} a restored machine: {error}")

    return lowering.builder.build(deadline), read
