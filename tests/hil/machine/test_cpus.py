# SPDX-License-Identifier: MIT
"""The check that a guest's CPUs came online; that they do is tested by the conformance run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hil.errors import BenchError
from hil.machine.cpus import at_first, bring_up
from hil.target import Completed


class Guest:
    def __init__(self, completed: Completed) -> None:
        self._completed = completed

    def run(self, *_: object, **__: object) -> Completed:
        return self._completed


def test_all_that_are_possible_run() -> None:
    guest: Any = Guest(Completed(0, b"0-1\n0-1\n", b""))
    bring_up(guest)


@pytest.mark.parametrize(
    ("completed", "reason"),
    [
        (Completed(0, b"0\n0-1\n", b""), "0 of 0-1"),
        (Completed(1, b"", b"sh: write error: Input/output error\n"), "Input/output error"),
        (Completed(0, b"", b"cat: no such file"), "no such file"),
    ],
)
def test_a_cpu_that_stays_offline_is_an_error(completed: Completed, reason: str) -> None:
    guest: Any = Guest(completed)
    with pytest.raises(BenchError, match=f"comes online: .*{reason}; its kernel needs CONFIG_SMP"):
        bring_up(guest)


@pytest.mark.parametrize(
    ("arch", "version", "words"),
    [
        ("arm64", "4.1.52", ()),  # what maxcpus leaves out is absent there: seen on 4.1.52
        ("x86_64", "4.1.52", ("maxcpus=1",)),
        ("arm64", "5.10.223", ("maxcpus=1",)),
    ],
)
def test_a_cpu_that_could_not_come_up_later_runs_from_the_beginning(
    make_spec: Any, arch: str, version: str, words: tuple[str, ...]
) -> None:
    kernel = replace(make_spec(arch).kernel, version=version)
    assert at_first(kernel) == words
