# SPDX-License-Identifier: MIT
"""What is said when a lane cannot be recorded, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from harness.debug import commands
from harness.lane import Engine, Lane
from harness.lockstep import recording
from harness.lockstep.recording import LockstepLane, lockstep_machine
from hil.arch import architecture
from hil.errors import BenchError
from hil.gdb.table import Symbol, SymbolTable
from hil.recorder import Place, build

NOTHING = SymbolTable([])
KERNEL = "debian-12", "x86_64"
MODULES = "virtio 16384 0 - Live 0xffffffffc0200000\n"
TEXT = (Symbol("_stext", 0xFFFF_FFFF_8100_0000, True), Symbol("_etext", 0xFFFF_FFFF_8200_0000, True))


class Silent:
    """A recorder of which nothing is asked, or whose counts are as they are given."""

    def __init__(self, lost: int = 0, stale: int = 0) -> None:
        self.lost, self.failed = lost, 0
        self.places: Sequence[Place] = ()
        self._stale = stale

    def arm(self, _: object, places: Sequence[Place], __: object) -> None:
        self.places = places

    @contextmanager
    def recording(self) -> Iterator[None]:
        yield

    def records(self) -> list[Any]:
        return [SimpleNamespace(stale=True)] * self._stale


def lane(engine: Engine, symbols: SymbolTable, recorder: Any) -> LockstepLane:
    """A lane, of whose machine nothing but the agent is asked: a login would take longer than all else."""
    executor = SimpleNamespace(watch=None, run=lambda scripts: [None for _ in scripts], text=lambda _: MODULES)
    session: Any = SimpleNamespace(kernel=SimpleNamespace(era="6.1"), executor=executor, target=None)
    return LockstepLane(Lane(*KERNEL, engine), session, recorder, symbols)


@pytest.mark.parametrize(
    ("engine", "said"),
    [(Engine.INTERP, "no symbol ___bpf_prog_run or __bpf_prog_run"), (Engine.JIT, "no symbols _stext and _etext")],
)
def test_missing_symbols_are_told(engine: Engine, said: str) -> None:
    with pytest.raises(BenchError, match=said) as told:
        lane(engine, NOTHING, Silent())
    assert "CONFIG_KALLSYMS" in (told.value.remedy or "")


def test_a_program_is_looked_for_outside_of_the_kernel_and_of_modules() -> None:
    recorder = Silent()
    lane(Engine.JIT, SymbolTable(TEXT), recorder)
    assert [(one.start, one.end) for one in recorder.places] == [
        (0xFFFF << 48, 0xFFFF_FFFF_8100_0000),
        (0xFFFF_FFFF_8200_0000, 0xFFFF_FFFF_C020_0000),
        (0xFFFF_FFFF_C020_4000, (1 << 64) - 1),
    ]


@pytest.mark.parametrize(
    ("recorder", "said"),
    [(Silent(lost=3), "3 records found no room"), (Silent(stale=2), "2 of 2 records may have the registers")],
)
def test_records_that_cannot_be_believed_are_told(recorder: Silent, said: str) -> None:
    script: Any = SimpleNamespace(name="it", needs=(), operations=())
    ready = lane(Engine.JIT, SymbolTable(TEXT), recorder)
    with pytest.raises(BenchError, match=said):
        ready.record(script)
    assert ready.session.executor.watch is None


def test_nothing_is_left_of_a_run_that_the_user_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    @contextmanager
    def stopped(*_: object, **__: object) -> Iterator[SimpleNamespace]:
        assert list((tmp_path / "run").iterdir())
        try:
            yield SimpleNamespace(kernel=None, target=None)
        finally:
            ended.append("machine")

    def interrupt(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(recording, "lane_session", stopped)
    monkeypatch.setattr(recording.kept, "symbols", interrupt)
    bootable: Any = SimpleNamespace(kernel=SimpleNamespace(arch=architecture("x86_64")))
    with pytest.raises(KeyboardInterrupt), lockstep_machine("debian-12", bootable, tmp_path / "run"):
        pass
    assert ended == ["machine"]
    assert not list((tmp_path / "run").iterdir())


def test_a_missing_compiler_is_told_before_anything_boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def boot(*_: object, **__: object) -> None:
        raise AssertionError("it boots")

    monkeypatch.setattr(build, "_COMPILER", "no-such-compiler")
    monkeypatch.setattr(recording, "lane_session", boot)
    words = ["--lockstep", "counting", "--lane", "debian-12/x86_64/interp", "--output", str(tmp_path)]
    told = CliRunner().invoke(commands.debug, words).exception
    assert isinstance(told, BenchError)
    assert "no C compiler" in told.what and told.remedy == "install the Debian package gcc"
