# SPDX-License-Identifier: MIT
"""Lanes: kernel x architecture x engine, written `debian-12/arm64/jit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import fnmatchcase

from hil.arch import architectures, architectures_with
from hil.errors import UserError


class Engine(StrEnum):
    """The engine that runs programs in the guest, by sysctl net.core.bpf_jit_enable at the time of the load."""

    INTERP = "interp"
    JIT = "jit"


@dataclass(frozen=True, order=True)
class Lane:
    """The names of a lane; whether its kernel is available is not known here."""

    kernel: str
    arch: str
    engine: Engine

    def __str__(self) -> str:
        return f"{self.kernel}/{self.arch}/{self.engine}"


def listed(text: str) -> list[str]:
    """Returns the names, or patterns of names, in a list with commas; blanks around them do not count."""
    return [name.strip() for name in text.split(",")]


def kernels(texts: Iterable[str]) -> list[str]:
    """Returns the names of kernels in texts that list them with commas, blanks or both; each once."""
    return list(dict.fromkeys(name for text in texts for name in text.replace(",", " ").split()))


def all_lanes(kernels: Iterable[tuple[str, str]]) -> tuple[Lane, ...]:
    """Returns every lane of the given kernels, which are pairs of name and architecture."""
    return tuple(Lane(name, arch, engine) for name, arch in kernels for engine in Engine)


def select(patterns: Iterable[str], known: Sequence[Lane]) -> tuple[Lane, ...]:
    """Returns the lanes that match any pattern, in the order of `known`.

    A pattern is up to three parts with shell wildcards; parts left out mean any: `debian-12`, `*/arm64`, `*/*/jit`.
    Raises UserError when a pattern matches nothing, because a typing mistake must not shrink a run.
    """
    chosen: set[Lane] = set()
    for pattern in patterns:
        parts = pattern.split("/")
        if len(parts) > 3:
            raise UserError(f"lane {pattern!r} has more than three parts", remedy="write KERNEL/ARCH/ENGINE")
        parts += ["*"] * (3 - len(parts))
        matches = {lane for lane in known if all(map(fnmatchcase, (lane.kernel, lane.arch, lane.engine), parts))}
        if not matches and (why := _without(*parts[:2])):
            raise UserError(f"unknown lane {pattern!r}: {why}", remedy="see `hil kernels list` for those there are")
        if not matches:
            raise UserError(f"unknown lane {pattern!r}", remedy=_meant(pattern, known))
        chosen |= matches
    return tuple(lane for lane in known if lane in chosen)


def compact(lanes: Iterable[str]) -> tuple[str, ...]:
    """Returns patterns that `select` reads as these lanes: both engines of a machine in one, all architectures of a
    kernel in one."""
    engines = _merged(lanes, lambda _: set(Engine))
    return _merged(engines, lambda kernel: {arch.name for arch in architectures_with(kernel)})


def _meant(pattern: str, known: Sequence[Lane]) -> str:
    """Returns what to write instead of a pattern that matches nothing: the same with its unknown parts replaced by the
    names most like them; where there are none, what every part can be."""
    parts = pattern.split("/")
    columns = zip(*((one.kernel, one.arch, one.engine) for one in known), strict=True)
    names = [list(dict.fromkeys(column)) for column in columns]
    near = [
        part if any(fnmatchcase(name, part) for name in there) else next(iter(get_close_matches(part, there, 1)), "")
        for part, there in zip(parts, names, strict=False)
    ]
    if all(near) and near != parts:
        return f"write KERNEL/ARCH/ENGINE; did you mean {'/'.join(near)!r}? `hil lanes` lists all"
    kernels, archs, engines = map(", ".join, names)
    return f"write KERNEL/ARCH/ENGINE with kernel of: {kernels}; arch of: {archs}; engine of: {engines}"


def _without(kernel: str, arch: str) -> str:
    """Returns why the catalogue has a kernel for other architectures only; empty where that is not the reason."""
    return architectures()[arch].lacks(kernel) if arch in architectures() else ""


def _merged(names: Iterable[str], last: Callable[[str], Set[str]]) -> tuple[str, ...]:
    """Returns names without their last part, where they differ in nothing else and have every last part in `last`."""
    names = tuple(dict.fromkeys(names))
    ends: dict[str, set[str]] = {}
    for name in names:
        front, _, end = name.rpartition("/")
        ends.setdefault(front, set()).add(end)
    fronts = [name.rpartition("/")[0] for name in names]
    merged = (
        front if front and ends[front] >= last(front) else name for name, front in zip(names, fronts, strict=True)
    )
    return tuple(dict.fromkeys(merged))
