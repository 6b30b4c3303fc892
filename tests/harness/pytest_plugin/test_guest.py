# SPDX-License-Identifier: MIT
"""A user's tests on real kernels: the README's example, the one in docs/examples, and what goes wrong on purpose."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "test_attach.py"

TROUBLE = """
from pathlib import Path

import pytest
from harness.testing import asm, expect, op, probed

ATTACHED = probed(asm.program(asm.exit_()))
PIDS = Path(__file__).with_name("pids")


def note(machine):
    with PIDS.open("a") as file:
        print(machine.pid, file=file)


@pytest.mark.needs("jit")
def test_refused(guest):
    guest.machine.run(["sh", "-c", "echo '<0>said to the console' > /dev/kmsg"])
    guest.check(*ATTACHED, expect(op.Close(-1), 0))


@pytest.mark.needs("jit")
@pytest.mark.arch("x86_64")
def test_the_machine_dies(guest, machine):
    note(machine)
    machine.qmp.execute("quit")
    guest.run(op.Close(-1))


@pytest.mark.needs("jit")
def test_another_one_goes_on(machine):
    note(machine)
    assert machine.run(["true"]).status == 0


@pytest.mark.needs("jit")
@pytest.mark.arch("arm64")
def test_the_user_interrupts(machine):
    raise KeyboardInterrupt
"""


def readme_example() -> str:
    """The block of Python in the README."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return str(code)


@pytest.mark.guest
def test_examples_hold_and_trouble_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_a_readme=readme_example(), test_b_example=EXAMPLE.read_text(), test_c_trouble=TROUBLE)
    result = pytester.runpytest_subprocess(
        "-ra", "-v", "--strict-markers", "--hil-lanes", "debian-12", "--hil-output", "out", timeout=1200
    )
    assert result.ret is pytest.ExitCode.INTERRUPTED
    lanes = [f"debian-12/{arch}/{engine}" for arch in ("x86_64", "arm64") for engine in ("interp", "jit")]
    passed = [line.split(" PASSED")[0] for line in result.outlines if " PASSED" in line]
    assert [test for test in passed if "readme" in test] == [
        f"test_a_readme.py::test_attach_twice[{lane}]" for lane in lanes
    ]
    assert len([test for test in passed if "example" in test]) == 4 * 4 + 2
    assert [test for test in passed if "trouble" in test] == [
        f"test_c_trouble.py::test_another_one_goes_on[{lane}]" for lane in lanes if lane.endswith("jit")
    ]
    result.stdout.fnmatch_lines_random(
        [
            "*Diverged: operation 4, Close(descriptor=-1): expected 0; predicted EBADF; saw EBADF (the test differs*",
            "*console of debian-12/x86_64/jit, *out/*/debian-12-x86_64/console.log*",
            "*] said to the console",
            "*verifier's log of 'program' on debian-12/x86_64/jit*",
            "R0 !read_ok",
            "FAILED *test_the_machine_dies[[]debian-12/x86_64/jit[]]*",
        ]
    )
    machines = sorted(path.name for path in (pytester.path / "out" / "latest").iterdir())
    assert machines == ["debian-12-arm64", "debian-12-x86_64", "debian-12-x86_64-2"]
    pids = [int(line) for line in (pytester.path / "pids").read_text().split()]
    assert len(pids) == 3
    assert not any(map(psutil.pid_exists, pids))
