# SPDX-License-Identifier: MIT
"""What C programs of findings tell, and their exit status, above a library that stands for a kernel."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from harness.fuzz.standalone.program import in_c
from tests.harness.fuzz.test_standalone import FILTER, GUEST, compiled, found

KERNEL = Path(__file__).with_name("stand_in.c")
WITHOUT_JIT = {"SWITCH": str(errno.ENOENT), "HERE": "1"}
AS_IT_SHOULD = {**WITHOUT_JIT, "LOAD": "5", "RECEIVE": "3"}
FOUND, OTHERWISE = "the kernel differs, as was found", "the kernel differs, but not as was found"
NOT_SHOWN = "it did not get to what was found: nothing is shown"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a filter that should give 3 and gave 99, by the interpreter."""
    wrapped = (f"-Wl,--wrap={name}" for name in ("open", "access", "syscall"))
    return compiled(in_c(found(FILTER, 1), GUEST), tmp_path_factory.mktemp("c"), "gcc", KERNEL, *wrapped)


def told(program: Path, kernel: dict[str, str]) -> tuple[int, str, str]:
    """Returns the exit status, the last line, and all that it says."""
    done = subprocess.run([program], env=kernel, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout.splitlines() or [""])[-1], done.stdout + done.stderr


@pytest.mark.parametrize(
    ("gives", "status", "words"),
    [
        ("3", 0, "the kernel does as it should"),
        ("99", 1, FOUND),
        ("98", 1, OTHERWISE),
        (str(-errno.EPERM), 1, OTHERWISE),
        (str(-errno.EAGAIN), 1, OTHERWISE),
    ],
)
def test_another_difference_is_not_what_was_found(program: Path, gives: str, status: int, words: str) -> None:
    seen = told(program, {**AS_IT_SHOULD, "RECEIVE": gives})
    assert seen[:2] == (status, words)
    assert ("gave when it was found: 99" in seen[2]) == (words == OTHERWISE)


def test_what_was_not_carried_out_shows_nothing(program: Path) -> None:
    status, words, whole = told(program, {**AS_IT_SHOULD, "RECEIVE": "dies"})
    assert (status, words) == (2, NOT_SHOWN)
    assert "signal 9 ended it" in whole and "nothing, it was not carried out" in whole
    assert told(program, {**AS_IT_SHOULD, "LOAD": "dies"})[:2] == (2, NOT_SHOWN)
    assert told(program, {**AS_IT_SHOULD, "LOAD": str(-errno.EPERM)})[:2] == (2, NOT_SHOWN)


@pytest.mark.parametrize(
    ("error", "here"),
    [(errno.EACCES, {"HERE": "1"}), (errno.EPERM, {"HERE": "1"}), (errno.ENOENT, {})],
    ids=["not root", "not allowed", "another network namespace"],
)
def test_an_engine_that_cannot_be_chosen_shows_nothing(program: Path, error: int, here: dict[str, str]) -> None:
    """A kernel has no JIT where its switch is missing, and nothing else."""
    status, words, whole = told(program, {"SWITCH": str(error), "LOAD": "5", "RECEIVE": "99", **here})
    assert (status, words) == (2, "")
    assert f"cannot set net.core.bpf_jit_enable to 0: {os.strerror(error)}" in whole
