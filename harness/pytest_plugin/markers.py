# SPDX-License-Identifier: MIT
"""Markers that say for which lanes a test is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from harness.lane import Lane
from harness.model.environment import Environment
from harness.run.needs import unmet
from harness.script.needs import CPUS, Need
from hil.arch import architecture, architectures
from hil.kernels import store
from hil.kernels.catalogue import numbers

NEEDS = {need.name.lower().replace("_", "-"): need for need in Need}


def exclusion(item: pytest.Item, lane: Lane, *, short: bool) -> str:
    """Returns why the markers of a test exclude the lane; empty when none does. Names without a prefix count where
    they are `short`. Raises UsageError for one that makes no sense."""
    for mark in item.iter_markers():
        name = mark.name.removeprefix("hil_")
        if name in _RULES and (short or name != mark.name):
            try:
                reason = _RULES[name](mark, lane)
            except ValueError as error:
                arguments = ", ".join(map(repr, mark.args))
                raise pytest.UsageError(f"{item.nodeid}: {mark.name}({arguments}): {error}") from None
            if reason:
                return reason
    return ""


def _kernel_from(mark: pytest.Mark, lane: Lane) -> str:
    first, own = _release(mark), _version(lane)
    return "" if numbers(own)[:2] >= numbers(first) else f"for kernels from {first} on; this one is {own}"


def _kernel_until(mark: pytest.Mark, lane: Lane) -> str:
    last, own = _release(mark), _version(lane)
    return "" if numbers(own)[:2] <= numbers(last) else f"for kernels up to {last}; this one is {own}"


def _arch(mark: pytest.Mark, lane: Lane) -> str:
    names = _names(mark, list(architectures()))
    return "" if lane.arch in names else f"for {' and '.join(names)} only"


def _needs(mark: pytest.Mark, lane: Lane) -> str:
    wanted = [NEEDS[name] for name in _names(mark, list(NEEDS))]
    era = store.era(lane.kernel, architecture(lane.arch))
    # Before there is a machine; the kernel's exact version is nothing that anybody needs.
    return unmet(wanted, Environment(era, lane.arch, 0, str(lane.engine), CPUS))


_RULES: dict[str, Callable[[pytest.Mark, Lane], str]] = {
    "kernel_from": _kernel_from,
    "kernel_until": _kernel_until,
    "arch": _arch,
    "needs": _needs,
}


def _version(lane: Lane) -> str:
    return store.version(lane.kernel, architecture(lane.arch))


def _release(mark: pytest.Mark) -> str:
    match mark.args:
        case (str() as release,) if re.fullmatch(r"\d+\.\d+", release):
            return release
    raise ValueError("write one release as MAJOR.MINOR in quotes, as in '5.10'")


def _names(mark: pytest.Mark, known: list[str]) -> list[str]:
    if mark.kwargs or not mark.args or any(name not in known for name in mark.args):
        raise ValueError(f"choose from {', '.join(known)}")
    return list(mark.args)
