# SPDX-License-Identifier: MIT
"""`hil bench`: the figures, as ratios."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

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
from harness.session import Bootable, LineListener, lane_session, prepare
from hil import terminal
from hil.arch import Architecture, architectures_with
from hil.heartbeat import Heartbeat
from hil.kernels import store


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
@click.option("--lockstep", is_flag=True, help="Measure what lockstep costs, and nothing else.")
def bench(names: tuple[str, ...], rounds: int, restores: int | None, cases: int, lockstep: bool) -> None:
    """Measure what the bench adds and saves, as ratios to a baseline of the same run; and where the time of a
    conformance run goes, as shares of it."""
    console = terminal.console()
    for name, arch in _places(names):
        store.get(name, arch)  # fails before minutes are spent on what needs no kernel

    with Heartbeat(lambda line: console.print(f"bench: {line}", highlight=False, style="dim")) as notify:
        notify("starting")
        if restores is not None:
            _restore(console, names, restores, notify)
        elif lockstep:
            _print(console, _lockstep(names[0], rounds, notify))
        else:
            _measure(console, names, rounds, cases, notify)


def _restore(console: Console, names: Sequence[str], restores: int, notify: store.Notify) -> None:
    """Restores machines in a row, and prints what came of it."""
    with TemporaryDirectory(prefix="hil-bench-") as folder:
        for name, arch in _places(names):
            if _restorable(arch):
                bootable = prepare(name, arch.name, LineListener(notify))
                told = restored_in_a_row(bootable, Path(folder) / name, restores)
                console.print(f"{name}/{arch}: {told}", highlight=False)


def _measure(console: Console, names: Sequence[str], rounds: int, cases: int, notify: store.Notify) -> None:
    """Measures, and prints what came out."""
    ratios = list(model_ratios(rounds, notify))
    with TemporaryDirectory(prefix="hil-bench-") as folder:
        report, took = conformance(names[0], Path(folder), notify)
    for name, arch in _places(names):
        bootable = prepare(name, arch.name, LineListener(notify))
        with TemporaryDirectory(prefix="hil-bench-") as folder:
            ratios.append(boot_ratio(bootable, Path(folder), rounds, notify))
            if _restorable(arch):
                ratios.append(restore_ratio(bootable, Path(folder), rounds, notify))
            ratios.extend(_cases(bootable, Path(folder), rounds, notify))
    with TemporaryDirectory(prefix="hil-bench-") as folder:
        name, arch = _places(names[-1:])[0]
        ratios.append(memory_ratio(name, arch.name, Path(folder), cases, notify))
    ratios.extend(_lockstep(names[0], rounds, notify))
    _print(console, ratios)
    console.print(f"\n{len(report.results)} results of conformance of {names[0]} in {took:.0f} s:", highlight=False)
    headings, rows = table(report, took)
    terminal.print_table(console, headings, rows, right=headings[1:])


def _print(console: Console, ratios: Sequence[Ratio]) -> None:
    terminal.print_table(console, _HEADINGS, [_row(ratio) for ratio in ratios], right=_HEADINGS[1:5])


def _lockstep(name: str, rounds: int, notify: store.Notify) -> list[Ratio]:
    """Returns the ratios of every architecture that lockstep has tables for."""
    found: list[Ratio] = []
    with TemporaryDirectory(prefix="hil-bench-") as folder:
        for arch in architectures_with(name):
            if arch.name in GDB_NUMBERS:
                bootable = prepare(name, arch.name, LineListener(notify))
                found.extend(lockstep_ratios(name, bootable, Path(folder) / arch.name, rounds, notify))
    return found


def _restorable(arch: Architecture) -> bool:
    """Whether machines of the architecture are ever restored; tells the reason when they are not."""
    if arch.always_booted:
        terminal.console().print(f"{arch}: always booted, never restored: {arch.always_booted}", highlight=False)
    return not arch.always_booted


def _places(names: Sequence[str]) -> list[tuple[str, Architecture]]:
    return [(name, arch) for name in names for arch in architectures_with(name)]


def _cases(bootable: Bootable, folder: Path, rounds: int, notify: store.Notify) -> tuple[Ratio, ...]:
    with lane_session(bootable, folder, engine=Engine.JIT, listener=LineListener(notify)) as session:
        return (*batching_ratios(session, rounds, notify), *fuzzing_ratios(session, rounds, notify))


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
