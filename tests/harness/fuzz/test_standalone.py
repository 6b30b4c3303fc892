# SPDX-License-Identifier: MIT
"""C programs that show a finding without the bench: what they are made of, and on kernels."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core_scripts import core_scripts
from harness.core_scripts.parts import array, read_u64, u64
from harness.fuzz.generate import case
from harness.fuzz.standalone.expected import Expected, as_seen, expected
from harness.fuzz.standalone.program import Found, NotInC, in_c
from harness.fuzz.standalone.readings import Reading, reading
from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.kernel_bugs.bugs import bugs
from harness.lowering.context import Guest
from harness.lowering.lower import lower
from harness.pytest_plugin.guest import LaneGuest
from harness.script.operations import LoadProgram, ProgramType, ReadRing, Ref, RunSocketFilter, Script
from harness.script.outcome import (
    ANY,
    KERNEL_ADDRESS,
    NOT_CARRIED_OUT,
    Bytes,
    Outcome,
    Piece,
    Prediction,
    Unknown,
    Unpredicted,
)
from hil.target import write_file
from tests.harness.fuzz.finding.models import LANE, RIGHT, WHERE

GUEST = Guest("x86_64", WHERE.version_code)
FILTER = Script(
    "filter",
    "a filter that keeps three bytes",
    (
        LoadProgram("program", ProgramType.SOCKET_FILTER, program(mov64_imm(R0, 3), exit_())),
        RunSocketFilter(Ref("program"), bytes(16)),
    ),
)
WRONG = Outcome(value=99)
M64 = (1 << 64) - 1


def found(script: Script, at: int, observed: Outcome = WRONG) -> Found:
    """Of the lane of the made-up finding, with what the model predicts."""
    return Found(LANE, script, at, RIGHT.run(script), observed)


def compiled(text: str, folder: Path, compiler: str = "gcc", *more: str | Path) -> Path:
    """The program, without a warning."""
    (folder / "found.c").write_text(text)
    command = [compiler, "-Wall", "-Wextra", "-Werror", "-static", "-o", folder / "found", folder / "found.c", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return folder / "found"


def readings(script: Script) -> list[Reading | None]:
    batch, (lowered,) = lower([script], GUEST, ["s"])
    return [reading(batch, one) for one in lowered.readers]


def test_a_reading_is_what_the_reader_does() -> None:
    loaded, ran = readings(FILTER)
    assert loaded is not None and loaded.errors == (loaded.value,)
    assert ran is not None and ran.quiet == ran.value == ran.errors[-1] and len(ran.errors) == 4


def test_what_reads_in_another_way_has_no_reading() -> None:
    """Records of a ring, for one; but nearly everything in generated cases has one."""
    kinds = Counter(
        (type(operation).__name__, one is not None)
        for number in range(6)
        for script in [case(1, number, WHERE.rules)]
        for operation, one in zip(script.operations, readings(script), strict=True)
    )
    assert {kind for kind, known in kinds if not known} == set()
    ring = next(one for one in core_scripts("x86_64", "6.1") if any(isinstance(op, ReadRing) for op in one.operations))
    pairs = zip(ring.operations, readings(ring), strict=True)
    assert not any(one for operation, one in pairs if isinstance(operation, ReadRing))


def test_it_compiles_and_says_what_it_is_about(tmp_path: Path) -> None:
    text = in_c(found(case(1, 1, WHERE.rules), 21, Outcome(value=0, data=bytes(8))), GUEST)
    assert "should give ENOENT, and gave 0" in text.replace("\n *", "") and "#error it is for x86_64" in text
    assert "/* 0: (bf) r6 = r1 */" in text
    compiled(text, tmp_path)


def test_bytes_that_are_not_known_do_not_count() -> None:
    script = Script("s", "", (array("hits"), read_u64("hits")))
    unknown = Bytes(bytes(8), (Piece(0, 4, Unknown("time")),))
    shown = replace(found(script, 1, Outcome(value=0, data=b"\7" * 8)), predictions=[WRONG, Outcome(0, data=unknown)])
    assert '"\\000\\000\\000\\000\\377\\377\\377\\377", 8' in in_c(shown, GUEST)
    with pytest.raises(NotInC, match="what was seen is allowed"):
        in_c(replace(shown, observed=Outcome(value=0, data=b"\7\7\7\7\0\0\0\0")), GUEST)


def test_what_cannot_be_told_in_c_has_no_program() -> None:
    with pytest.raises(NotInC, match="what was seen is allowed"):
        in_c(found(FILTER, 1, Outcome(value=3)), GUEST)
    ring = next(one for one in core_scripts("x86_64", "6.1") if any(isinstance(op, ReadRing) for op in one.operations))
    at = next(index for index, op in enumerate(ring.operations) if isinstance(op, ReadRing))
    with pytest.raises(NotInC, match="more than one system call gives"):
        in_c(found(ring, at), GUEST)


def test_what_nobody_can_say_has_no_program() -> None:
    for open_ in (Unpredicted("no rule"), ANY):
        with pytest.raises(NotInC, match="what was seen is allowed"):
            in_c(replace(found(FILTER, 1, Outcome(errno="EPERM")), predictions=[WRONG, open_]), GUEST)
    with pytest.raises(NotInC, match="what was seen is that it was not carried out"):
        in_c(found(FILTER, 1, Outcome(errno=NOT_CARRIED_OUT)), GUEST)


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (Unknown("", least=0), (0, M64)),
        (Unknown("", least=0, most=M64), (0, M64)),
        (Unknown("", least=5), (5, M64)),
        (KERNEL_ADDRESS, (1 << 63, M64)),
        (Unknown("", least=-1), (None, None)),
        (Unknown("", least=0, same_as="other"), (None, None)),
        (range(0, 9, 2), (None, None)),
        (range(2, 9), (2, 8)),
        (-1, (M64, M64)),
    ],
)
def test_numbers_may_have_any_bounds(
    value: int | range | Unknown, bounds: tuple[int | None, int | None], tmp_path: Path
) -> None:
    (one,) = expected(Outcome(value=value), 0)
    assert (one.least, one.most) == bounds
    compiled(
        in_c(replace(found(FILTER, 1, Outcome(errno="EPERM")), predictions=[WRONG, Outcome(value)]), GUEST), tmp_path
    )


def test_what_was_seen_counts_as_far_as_it_is_the_same_each_time() -> None:
    def seen(prediction: Prediction, outcome: Outcome, *, makes: bool = False) -> Expected:
        return as_seen(outcome, expected(prediction, 0), makes=makes)

    refused, address = Outcome(errno="ENOENT"), 0xFFFF888012345678
    assert seen(Outcome(value=0), Outcome(errno="EPERM", log="why")) == Expected("EPERM")
    assert seen(Outcome(errno="EACCES", log="R1"), Outcome(errno="EACCES", log="R2")).log == "R2"
    assert seen(refused, Outcome(value=7)) == Expected("", 7, 7)
    assert seen(refused, Outcome(value=7), makes=True) == Expected()
    assert seen(Outcome(value=0), Outcome(value=-1)) == Expected("", M64, M64)
    assert seen(Outcome(value=0), Outcome(value=address)) == Expected()
    assert seen(Outcome(value=range(5, 9)), Outcome(value=7)) == Expected("", 5, 8)
    assert seen(Outcome(value=range(5, 9)), Outcome(value=3)) == Expected()

    data = u64(7) + u64(address) + u64(-1 & M64) + b"\1"
    counting = b"\xff" * 8 + bytes(8) + b"\xff" * 9
    assert seen(refused, Outcome(value=0, data=data)).data == ((data, counting),)
    time = Bytes(bytes(25), (Piece(0, 4, Unknown("time")),))
    assert seen(Outcome(value=0, data=time), Outcome(value=0, data=data)).data == ((data, bytes(4) + counting[4:]),)
    assert seen(Outcome(value=0, data=ANY), Outcome(value=0, data=data)).data == ()


@pytest.mark.guest
def test_it_tells_kernels_with_an_error_from_others(guest: LaneGuest, tmp_path: Path) -> None:
    """Smallest programs of errors of JITs that a kernel of the matrix has, and probes with a planted mistake."""
    if guest.lane.kernel not in ("linux-4.1", "debian-12"):
        pytest.skip("one kernel with the errors and one without are enough")
    if shutil.which(guest.machine.arch.gcc) is None:
        pytest.skip(f"{guest.machine.arch.gcc} is not installed")

    def status(one: Found, *, otherwise: bool = False) -> int:
        path = compiled(in_c(one, guest.executor.guest), tmp_path, guest.machine.arch.gcc)
        write_file(guest.machine, "/tmp/found", path.read_bytes())
        done = guest.machine.run(["sh", "-c", "chmod +x /tmp/found && cd /tmp && exec ./found"])
        print(done.stdout.decode(), done.stderr.decode())
        words = done.stdout.decode().splitlines()[-1]
        assert ("but not as was found" in words) == (otherwise and done.status == 1), words
        return done.status

    for name in ("x86-store-r10-byte", "arm64-indirect-load-index"):
        (bug,) = (one for one in bugs() if one.id == name)
        script = bug.script()
        wrong = Found(
            guest.lane, script, len(script.operations) - 1, guest.model.run(script), Outcome(value=int(bug.wrong))
        )
        if bug.expected(guest.lane) is not None:
            assert status(wrong) == int(bug.seen_on(guest.lane)), name

    era = guest.model.environment.era
    if not guest.model.environment.rules.kprobes:
        return
    counting = next(one for one in core_scripts(guest.lane.arch, era) if one.name == "counting")
    last = len(counting.operations) - 1
    right = Found(guest.lane, counting, last, guest.model.run(counting), WRONG)
    assert status(right) == 0
    for at, planted, told in ((last, Outcome(value=0, data=u64(7)), 1), (0, Outcome(errno="EPERM"), 2)):
        predictions = [planted if index == at else one for index, one in enumerate(right.predictions)]
        assert status(replace(right, predictions=predictions), otherwise=True) == told
