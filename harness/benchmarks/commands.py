# SPDX-License-Identifier: MIT
"""`hil bench`: the figures, as ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

from harness.benchmarks import spending
from harness.benchmarks.batching import batching_ratios
from harness.benchmarks.boot import boot_ratio
from harness.benchmarks.conformance import conformance, table
from harness.benchmarks.fuzzing import fuzzing_ratios, memory_ratio
from harness.benchmarks.lockstep import lockstep_ratios
from harness.benchmarks.model import model_ratios
from harness.benchmarks.ratio import Ratio
from harness.benchmarks.restoring import restore_ratio, restored_in_a_row
from harness.lane import Engine
from harness.lockstep.registers import GDB_NUMBERS
from harness.session import LineListener, lane_session, prepare
from hil import terminal
from hil.arch import Architecture, architectures_with
from hil.heartbeat import Heartbeat
from hil.kernels import store


class Part(StrEnum):
    """The parts, in the order in which they are measured."""

    MODEL = "model"
    CONFORMANCE = "conformance"
    BOOT = "boot"
    CASES = "cases"
    MEMORY = "memory"
    LOCKSTEP = "lockstep"


@click.command()
@click.option(
    "--kernel",
    "names",
    multiple=True,
    default=("debian-12", "linux-4.1"),
    show_default=True,
    help="A kernel that is measured; may be given several times.",
)
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Pairs a ratio.")
@click.option("--restores", type=click.IntRange(1), help="Restore so many machines in a row, and measure nothing else.")
@click.option(
    "--cases",
    default=100_000,
    show_default=True,
    type=click.IntRange(10),
    help="Generated cases after which a campaign's memory is compared with that after a tenth of them.",
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice([part.value for part in Part]),
    help="Measure this part, and none that is not named; may be given several times.",
)
def bench(names: tuple[str, ...], rounds: int, restores: int | None, cases: int, parts: tuple[str, ...]) -> None:
    """Measure what the bench adds and saves, as ratios to a baseline of the same run; and where the time of a
    conformance run goes, as shares of it. Each ratio is told when it is there, all of them at the end."""
    console = terminal.console()
    for name, arch in _places(names):
        store.get(name, arch)  # fails before minutes are spent on what needs no kernel

    with Heartbeat(lambda line: console.print(f"bench: {line}", highlight=False, style="dim")) as notify:
        notify("starting")
        if restores is not None:
            _restore(console, names, restores, notify)
        else:
            _measure(console, Asked(names, rounds, cases, notify), parts or tuple(Part))


def _restore(console: Console, names: Sequence[str], restores: int, notify: store.Notify) -> None:
    """Restores machines in a row, and prints what came of it."""
    with TemporaryDirectory(prefix="hil-bench-") as folder:
        for name, arch in _places(names):
            if _restorable(arch):
                bootable = prepare(name, arch.name, LineListener(notify))
                told = restored_in_a_row(bootable, Path(folder) / name, restores, notify)
                console.print(f"{name}/{arch}: {told}", highlight=False)


@dataclass(frozen=True)
class Asked:
    """What is measured: the kernels, the pairs of a ratio, the cases after which memory is looked at; `notify` is told
    what is being done."""

    names: Sequence[str]
    rounds: int
    cases: int
    notify: store.Notify


def _measure(console: Console, asked: Asked, parts: Sequence[str]) -> None:
    """Measures, prints each ratio when it is there, and at the end all of them, and how long each part took."""
    ratios: list[Ratio] = []
    rows: list[tuple[str, str]] = []
    for part in Part:
        if part not in parts:
            continue
        began = time.monotonic()
        with TemporaryDirectory(prefix="hil-bench-") as folder:
            for ratio in _PARTS[part](console, asked, Path(folder)):
                ratios.append(ratio)
                console.print(f"{ratio.name}: {ratio.median:.2f}", highlight=False)
        rows.append((part, f"{time.monotonic() - began:.0f}"))
    if ratios:
        terminal.print_table(console, _HEADINGS, [_row(ratio) for ratio in ratios], right=_HEADINGS[1:5])
    terminal.print_table(console, ("part", "seconds"), rows, right=("seconds",))


def _model(console: Console, asked: Asked, folder: Path) -> Iterator[Ratio]:
    yield from model_ratios(asked.rounds, asked.notify)


def _conformance(console: Console, asked: Asked, folder: Path) -> Iterator[Ratio]:
    """Prints where the time goes; nothing of it is a ratio."""
    report, took = conformance(asked.names[0], folder, asked.notify)
    said = f"{len(report.results)} results of conformance of {asked.names[0]} in {took:.0f} s:"
    console.print(said, highlight=False)
    headings, rows = table(report, took)
    terminal.print_table(console, headings, rows, right=headings[1:])
    yield from ()


def _boots(console: Console, asked: Asked, folder: Path) -> Iterator[Ratio]:
    for name, arch in _places(asked.names):
        bootable, place = prepare(name, arch.name, LineListener(asked.notify)), folder / name / arch.name
        yield boot_ratio(bootable, place, asked.rounds, asked.notify)
        if _restorable(arch):
            yield restore_ratio(bootable, place, asked.rounds, asked.notify)


def _cases(console: Console, asked: Asked, folder: Path) -> Iterator[Ratio]:
    """Prints where a generated case's time goes, too."""
    by_place: dict[str, Mapping[str, float]] = {}
    for name, arch in _places(asked.names):
        listener = LineListener(asked.notify)
        bootable, place = prepare(name, arch.name, listener), folder / name / arch.name
        with lane_session(bootable, place, engine=Engine.JIT, listener=listener) as session:
            yield from batching_ratios(session, asked.rounds, asked.notify)
            with lane_session(bootable, place / "kept", engine=Engine.JIT, listener=listener) as kept:
                measured = fuzzing_ratios(kept, session, asked.rounds, asked.notify)
                by_place[f"{name}/{arch}"] = measured.spent
                yield from measured.ratios
    headings, rows = spending.table(by_place)
    terminal.print_table(console, headings, rows, right=headings[1:])


def _memory(console: Console, asked: Asked, folder: Path) -> Iterator[Ratio]:
    name, arch = _places(asked.names[-1:])[0]
    yield memory_ratio(name, arch.name, folder, asked.cases, asked.notify)


def _lockstep(console: Console, asked: Asked, folder: Path) -> Iterator[Ratio]:
    """Yields the ratios of every architecture that lockstep has tables for."""
    name = asked.names[0]
    for arch in architectures_with(name):
        if arch.name in GDB_NUMBERS:
            bootable = prepare(name, arch.name, LineListener(asked.notify))
            yield from lockstep_ratios(name, bootable, folder / arch.name, asked.rounds, asked.notify)


_PARTS: Mapping[Part, Callable[[Console, Asked, Path], Iterator[Ratio]]] = {
    Part.MODEL: _model,
    Part.CONFORMANCE: _conformance,
    Part.BOOT: _boots,
    Part.CASES: _cases,
    Part.MEMORY: _memory,
    Part.LOCKSTEP: _lockstep,
}
"""What measures each part, in a folder of its own."""


def _restorable(arch: Architecture) -> bool:
    """Whether machines of the architecture are ever restored; tells the reason when they are not."""
    if arch.always_booted:
        terminal.console().print(f"{arch}: always booted, never restored: {arch.always_booted}", highlight=False)
    return not arch.always_booted


def _places(names: Sequence[str]) -> list[tuple[str, Architecture]]:
    return [(name, arch) for name in names for arch in architectures_with(name)]


_HEADINGS = ("measured over baseline", "ratio", "range", "measured", "baseline", "unit", "goal")


def _row(ratio: Ratio) -> tuple[str, ...]:
    return (
        ratio.name,
        f"{ratio.median:.2f}",
        f"{min(ratio.pairs):.2f}-{max(ratio.pairs):.2f}",
        f"{statistics.median(ratio.measured):.1f}",
        f"{statistics.median(ratio.baseline):.1f}",
        ratio.unit,
        ratio.goal,
    )
