# SPDX-License-Identifier: MIT
"""The tutorial's last test: an error of a real kernel, caught by a test that knows nothing of it.

pytest --hil-lanes 'debian-12/x86_64/jit' test_fault.py
"""

from __future__ import annotations

from harness.testing import LaneGuest, array, assemble, op

CODE = """
r1 = 0
*(u32 *)(r10 -4) = r1
r2 = r10
r2 += -4
r1 = map values
call bpf_map_lookup_elem#1
if r0 != 0x0 goto found
exit
found: r6 = r0
*(u64 *)(r6 +8) = r6
r1 = *(u64 *)(r6 +8)
r1 <<= 32
r1 >>= 32
r0 = 3
if r1 > 0x1fffffff goto out
r7 = r6
r7 -= r1
r0 = 1
if w7 != 0x0 goto out
r0 = 2
out: exit
"""
"""r7 is a pointer whose low half is 0. `if w7 != 0x0` looks at that half alone, so that r0 becomes 2."""


def test_the_low_half_of_a_pointer_is_compared(guest: LaneGuest) -> None:
    guest.check(
        array("values", value_size=16),
        op.LoadProgram("program", op.ProgramType.SOCKET_FILTER, assemble(CODE)),
        op.RunSocketFilter(op.Ref("program"), bytes(64)),
    )
