# SPDX-License-Identifier: MIT
"""An example of a test with gdb: what the kernel does inside, on every lane of a matrix.

pytest --hil-lanes 'debian-12/*/jit' test_debugger.py
"""

from __future__ import annotations

import pytest

from harness.testing import Debugger, array, count_hits, expect, on_our_prctl, op, prctl, probed


@pytest.mark.kernel_from("6.1")
@pytest.mark.needs("kprobes")
def test_where_a_second_attach_is_refused(debugger: Debugger) -> None:
    program = on_our_prctl(debugger.registers, count_hits())
    again = expect(op.Attach(op.Ref("event"), op.Ref("program")), "EEXIST")
    with debugger.run(array("hits"), *probed(program), again, prctl()) as session:
        session.expect_call("perf_event_attach_bpf_prog", returns=0)
        session.expect_call("perf_event_attach_bpf_prog", returns=-17)
        session.break_at_bpf(5)  # where the program goes for our own prctl
        session.run_to_stop()
        assert session.bpf_registers()["R0"] == 0x7FFF0001
        session.step_bpf()
        assert session.at_bpf().instruction == 6
