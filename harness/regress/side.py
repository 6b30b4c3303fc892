# SPDX-License-Identifier: MIT
"""One side of a comparison: a run, some lanes of it, or one lane under a name both sides share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.lane import Engine, Lane, select
from harness.run.results import MachineReport, RunReport, ScriptResult
from hil.errors import UserError


@dataclass(frozen=True)
class Side:
    """Results by lane and script; machines by name: of several with one name the last that booted, else the last."""

    lanes: tuple[str, ...]
    seen: Mapping[tuple[str, str], ScriptResult]
    machines: Mapping[str, MachineReport]
    host: Mapping[str, str]
    interrupted: bool = False


def operation(result: ScriptResult) -> tuple[int, str] | None:
    """Returns number and description of the operation that a result is about, if it is about one."""
    return (result.operation.index, result.operation.operation) if result.operation else None


def whole(report: RunReport, patterns: Sequence[str] = ()) -> Side:
    """Returns the run, or those of its lanes that match any pattern; raises UserError when a pattern matches none."""
    chosen = lanes(report, patterns) if patterns else report.lanes
    machines: dict[str, MachineReport] = {}
    for machine in report.machines:
        name = f"{machine.kernel}/{machine.arch}"
        if name not in machines or machine.boot_seconds is not None:
            machines[name] = machine
    wanted = {lane.rpartition("/")[0] for lane in chosen}
    return Side(
        chosen,
        {(result.lane, result.script): result for result in report.results if result.lane in chosen},
        {name: machine for name, machine in machines.items() if name in wanted},
        report.host,
        report.interrupted,
    )


def one_lane(report: RunReport, pattern: str, name: str) -> Side:
    """Returns the one lane that matches, called `name`."""
    chosen = lanes(report, (pattern,))
    if len(chosen) != 1:
        raise UserError(f"--lane {pattern} means {', '.join(chosen)}", remedy="name one lane, KERNEL/ARCH/ENGINE")
    side = whole(report, chosen)
    return Side(
        (name,),
        {(name, script): result for (_, script), result in side.seen.items()},
        dict(zip((name,), side.machines.values(), strict=False)),
        report.host,
        report.interrupted,
    )


def as_kernel(side: Side, kernel: str) -> Side:
    """Returns a side of one kernel under another name, so that its lanes are those of a side with that name; raises
    UserError when it has several kernels."""
    own = sorted({lane.partition("/")[0] for lane in side.lanes})
    if len(own) != 1:
        raise UserError(f"these lanes are of the kernels {', '.join(own)}", remedy="choose lanes of one kernel")

    def renamed(name: str) -> str:
        return f"{kernel}/{name.partition('/')[2]}"

    return Side(
        tuple(map(renamed, side.lanes)),
        {(renamed(lane), script): result for (lane, script), result in side.seen.items()},
        {renamed(name): machine for name, machine in side.machines.items()},
        side.host,
        side.interrupted,
    )


def lanes(report: RunReport, patterns: Sequence[str]) -> tuple[str, ...]:
    """Returns the run's lanes that match, in its order."""
    known = []
    for name in report.lanes:
        kernel, arch, engine = name.split("/")
        known.append(Lane(kernel, arch, Engine(engine)))
    return tuple(str(lane) for lane in select(patterns, known))
