# SPDX-License-Identifier: MIT
"""The table of abilities. A row is a kernel and an architecture; both engines can do the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harness.abi import bpf
from harness.lane import Engine
from harness.model.architecture import architecture_rules
from harness.model.eras import Era, era
from harness.model.rules import Attachment, DivisionByZero, Keep, LoadCheck
from harness.release import dotted, release
from hil.arch import Architecture, architectures_with
from hil.kernels import catalogue, store
from hil.kernels.catalogue import Debian, Tarball


@dataclass(frozen=True)
class Row:
    """A kernel: one of the catalogue, or one that a user imported under a name of its own, without a source."""

    name: str
    era: str
    source: Debian | Tarball | None


@dataclass(frozen=True)
class Column:
    """A heading, and the function that gives the cell of a row."""

    heading: str
    cell: Callable[[Row, Era, Architecture], str]


def _lane(entry: Row, _: Era, arch: Architecture) -> str:
    return f"`{entry.name}/{arch}`"


def _origin(entry: Row, _: Era, __: Architecture) -> str:
    if entry.source is None:
        return store.IMPORTED
    return "built or imported" if isinstance(entry.source, Tarball) else str(entry.source)


def _kprobes(_: Row, rules: Era, arch: Architecture) -> str:
    if rules.kprobes and not rules.entry_probes:
        refused, taken = map(dotted, architecture_rules(arch.name).entries_traced or ())
        return (
            f"loaded, but not run: the first instruction of a function is ftrace's alone on {arch} since {refused} and "
            f"until {taken}, and a probe on it fails with EINVAL"
        )
    if rules.kprobes:
        return "yes"
    since = dotted(architecture_rules(arch.name).kprobes)
    return (
        f"no: {arch} has kprobes since {since}, so loading such a program fails with EINVAL, and there is no "
        "kprobe_events"
    )


def _runs(rules: Era) -> bool:
    """Returns whether programs run on kprobes."""
    return rules.kprobes and rules.entry_probes


def _sockets(_: Row, __: Era, ___: Architecture) -> str:
    return "yes"


def _version(_: Row, rules: Era, __: Architecture) -> str:
    return "must match" if LoadCheck.KERNEL_VERSION in rules.load_checks else "ignored"


def _programs(_: Row, rules: Era, arch: Architecture) -> str:
    return str(rules.programs_per_trace_event) if _runs(rules) else "-"


def _detaching(_: Row, rules: Era, arch: Architecture) -> str:
    if not _runs(rules):
        return "-"
    return "any event on the probe" if rules.attachment is Attachment.ONE else "its own event"


def _stored(_: Row, rules: Era, arch: Architecture) -> str:
    if not _runs(rules):
        return "-"
    return "any but 0" if rules.keep is Keep.NON_ZERO else "odd"


def _division(_: Row, rules: Era, __: Architecture) -> str:
    ends = rules.division_by_zero is DivisionByZero.ENDS_PROGRAM
    return "ends the program with 0" if ends else "quotient 0, remainder the dividend"


def _limit(_: Row, rules: Era, __: Architecture) -> str:
    return str(rules.instruction_limit)


def _engine(entry: Row, _: Era, __: Architecture) -> str:
    if release(entry.era) < bpf.TELLS_ENGINE:
        return "taken from the sysctl: before 4.13 no kernel says what runs a program"
    return "checked: the kernel says how long a program's machine code is"


COLUMNS = (
    Column("lane", _lane),
    Column("kernel from", _origin),
    Column("programs on kprobes", _kprobes),
    Column("as socket filters", _sockets),
    Column("engine", _engine),
    Column("kern_version", _version),
    Column("programs a probe", _programs),
    Column("detached by closing", _detaching),
    Column("return values that store", _stored),
    Column("division by zero", _division),
    Column("instructions", _limit),
)


def imported() -> tuple[tuple[str, ...], ...]:
    """Returns the same for kernels that a user imported under names of their own, by the records that each is judged
    by."""
    known = set(catalogue.entries())
    return tuple(
        tuple(column.cell(Row(name, rules.name, None), rules, arch) for column in COLUMNS)
        for name, arch in store.names()
        if name not in known
        for rules in (era(store.era(name, arch), arch.name, store.distribution(name, arch)),)
    )


def rows() -> tuple[tuple[str, ...], ...]:
    """Returns a row for every kernel of the catalogue and every architecture it has, in the order of `COLUMNS`."""
    return tuple(
        tuple(
            column.cell(Row(entry.name, entry.era, entry.source), era(entry.era, arch.name), arch) for column in COLUMNS
        )
        for entry in catalogue.entries().values()
        for arch in architectures_with(entry.name)
    )


def markdown() -> str:
    """Returns the page docs/lanes.md."""
    lines = [
        "# What each lane can do",
        "",
        f"Every row is two lanes, one for each engine: {' and '.join(f'`{engine}`' for engine in Engine)}.",
        "This page is written by `hil lanes --markdown` from the catalogue of kernels and the rules of the model.",
        "",
        _row(column.heading for column in COLUMNS),
        _row("---" for _ in COLUMNS),
        *(_row(cells) for cells in rows()),
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
