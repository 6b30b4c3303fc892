# SPDX-License-Identifier: MIT
"""Lanes: kernel x architecture x engine, written `debian-12/arm64/jit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
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
            kernels = ", ".join(dict.fromkeys(lane.kernel for lane in known))
            archs = ", ".join(dict.fromkeys(lane.arch for lane in known))
            raise UserError(
                f"unknown lane {pattern!r}",
                remedy=f"write KERNEL/ARCH/ENGINE with kernel of: {kernels}; arch of: {archs}; engine of: interp, jit",
            )
        chosen |= matches
    return tuple(lane for lane in known if lane in chosen)


def compact(lanes: Iterable[str]) -> tuple[str, ...]:
    """Returns patterns that `select` reads as these lanes: both engines of a machine in one, all architectures of a
    kernel in one."""
    engines = _merged(lanes, lambda _: set(Engine))
    return _merged(engines, lambda kernel: {arch.name for arch in architectures_with(kernel)})


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
