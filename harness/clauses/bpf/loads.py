# SPDX-License-Identifier: MIT
"""BPF_PROG_LOAD with raw fields, and the order in which they are checked."""

from __future__ import annotations

from harness.abi.bpf import Command
from harness.clauses.bpf.parts import KERNEL_ADDRESS, clause
from harness.script.clause import WORKS, Clause, expect
from harness.script.operations import (
    Buffer,
    Part,
    RawBpf,
)


def loads_clauses() -> tuple[Clause, ...]:
    """Returns LOAD-01: what BPF_PROG_LOAD reads first."""
    licence, code = (
        Part(16, 8, Buffer(b"GPL\0")),
        Part(8, 8, Buffer(bytes.fromhex("b700000000000000 9500000000000000"))),
    )
    filter, two = Part(0, 4, 1), Part(4, 4, 2)
    log = (Part(24, 4, 1), Part(28, 4, 4096))

    def load(*parts: Part) -> RawBpf:
        return RawBpf(Command.PROG_LOAD, parts)

    return (
        clause(
            "LOAD-02",
            "BPF_PROG_LOAD gives EFAULT if the licence cannot be read",
            expect(load(filter, two, code), "EFAULT"),
        ),
        clause(
            "LOAD-02.first",
            "BPF_PROG_LOAD with 2^30 instructions and no licence gives EFAULT, because the licence is read "
            "first; since 6.5 E2BIG, because the instructions are counted first",
            expect(load(filter, Part(4, 4, 1 << 30)), "EFAULT", {"6.6": "E2BIG"}),
        ),
        clause(
            "LOAD-01.instructions",
            "BPF_PROG_LOAD gives EFAULT if the instructions cannot be read",
            expect(load(filter, two, licence), "EFAULT"),
        ),
        clause(
            "LOAD-08.first",
            "BPF_PROG_LOAD of no instructions and of an unknown type gives EINVAL in 4.1, and E2BIG in later "
            "kernels, which count the instructions before they look at the type",
            expect(load(Part(0, 4, 4096), licence, code), "EINVAL", {"5.10": "E2BIG"}),
        ),
        clause(
            "LOAD-15",
            "BPF_PROG_LOAD with type, instructions and licence loads the program",
            expect(load(filter, two, licence, code), WORKS),
        ),
        *(
            clause(
                f"LOG-02.{what}",
                sentence,
                expect(load(filter, two, licence, code, *parts), said, later),
            )
            for what, sentence, parts, said, later in (
                ("no-buffer", "A log with a level and a size but no buffer gives EINVAL", log, "EINVAL", {}),
                (
                    "no-level",
                    "A log with a buffer and a size but no level gives EINVAL",
                    (Part(28, 4, 4096), Part(32, 8, Buffer(bytes(4096)))),
                    "EINVAL",
                    {},
                ),
                (
                    "no-size",
                    "A log with a level and a buffer but no size gives EINVAL",
                    (Part(24, 4, 1), Part(32, 8, Buffer(bytes(4096)))),
                    "EINVAL",
                    {},
                ),
                (
                    "small",
                    "A log of 127 bytes gives EINVAL; since 6.4 it may be as short as that",
                    (Part(24, 4, 1), Part(28, 4, 127), Part(32, 8, Buffer(bytes(4096)))),
                    "EINVAL",
                    {"6.6": WORKS},
                ),
                (
                    "large",
                    "A log of 2^32 - 1 bytes gives EINVAL",
                    (Part(24, 4, 1), Part(28, 4, 0xFFFFFFFF), Part(32, 8, Buffer(bytes(4096)))),
                    "EINVAL",
                    {},
                ),
                (
                    "least",
                    "A log may have 128 bytes",
                    (Part(24, 4, 1), Part(28, 4, 128), Part(32, 8, Buffer(bytes(4096)))),
                    WORKS,
                    {},
                ),
                (
                    "only-level",
                    "A level without buffer and size gives EINVAL; since 6.4 such a program is loaded",
                    (Part(24, 4, 1),),
                    "EINVAL",
                    {"6.6": WORKS},
                ),
            )
        ),
        clause(
            "LOG-05",
            "BPF_PROG_LOAD gives EFAULT if the log cannot be written to the caller's memory",
            expect(load(filter, two, licence, code, *log, Part(32, 8, KERNEL_ADDRESS)), "EFAULT"),
        ),
        clause(
            "LOG-02.first",
            "The parameters of the log are checked before the program: with a level and no buffer, a program "
            "without exit gives EINVAL",
            expect(
                load(
                    filter,
                    Part(4, 4, 1),
                    licence,
                    Part(8, 8, Buffer(bytes.fromhex("b700000000000000"))),
                    Part(24, 4, 1),
                ),
                "EINVAL",
            ),
        ),
    )
