# SPDX-License-Identifier: MIT
"""Reading the verifier's log."""

from __future__ import annotations

from harness.lowering.verifier_log import Reading, read

OF_6_12 = """\
func#0 @0
0: R1=ctx() R10=fp0
; int probe(void *ctx) @ probe.c:3
0: (79) r1 = *(u64 *)(r1 +0)          ; R1_w=scalar()
1: (79) r0 = *(u64 *)(r1 +0)
R1 invalid mem access 'scalar'
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""


def test_the_place_the_reason_and_the_counters_are_read() -> None:
    reason = ("R1 invalid mem access 'scalar'",)
    assert read(OF_6_12) == Reading(1, "r0 = *(u64 *)(r1 +0)", reason, 2, "int probe(void *ctx)")


def test_a_line_of_the_source_is_read_without_its_place_too() -> None:
    log = OF_6_12.replace(" @ probe.c:3", "")
    assert read(log).source == "int probe(void *ctx)"


def test_a_reason_behind_the_instruction_is_read_as_well() -> None:
    # As 6.1 writes it, without the states before.
    log = "12: (c7) r2 s>>= 32\n13: (6d) if r1 s> r2 goto pc-7 infinite loop detected at insn 7\nprocessed 33 insns"
    assert read(log) == Reading(13, "if r1 s> r2 goto pc-7", ("infinite loop detected at insn 7",), 33)
    log = "12: (c7) r2 s>>= 32 BPF program is too large. Processed 1000001 insn\n"
    assert read(log).reason == ("BPF program is too large. Processed 1000001 insn",)


def test_what_was_accepted_has_counters_only() -> None:
    assert read("processed 4509 insns (limit 1000000) max_states_per_insn 0 total_states 333\n") == Reading(
        None, "", (), 4509
    )


def test_a_reason_before_any_instruction_names_its_place_itself() -> None:
    assert read("jump out of range from insn 7 to 99\n").instruction == 7
    assert read("") == Reading(None, "", (), None)
