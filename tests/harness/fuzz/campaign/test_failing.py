# SPDX-License-Identifier: MIT
"""Tasks of which nothing comes: what is run again, what ends a campaign, and what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.fuzz.campaign import journal
from harness.fuzz.campaign.running import run
from harness.fuzz.campaign.slots import Work
from harness.fuzz.campaign.totals import Totals
from hil.errors import BenchError, HilError, UserError
from hil.programs import NotInstalled
from tests.harness.fuzz.campaign.fakes import (
    campaign,
    carried_out,
    dying,
    faulty,
    faulty_at_first,
    found,
    full,
    hopeless,
    nonsense,
    noting_its_group,
    too_large,
    without_emulator,
    without_kernel,
    without_memory,
)


def test_a_process_that_dies_costs_its_range_a_second_run(tmp_path: Path) -> None:
    one, said = campaign(32), list[str]()
    run(one, tmp_path, 2, lambda _: None, totals=Totals(one.lanes), work=dying, say=said.append)
    assert "cases 8 to 15 of programs, seed 1, on one/x86_64 are run again: its process ended with -9" in said
    carried_out(tmp_path / "alone", one)
    assert found(tmp_path) == found(tmp_path / "alone")
    assert len(list(tmp_path.glob("died-*"))) == 6


def test_processes_that_always_die_end_the_campaign(tmp_path: Path) -> None:
    one = campaign(8)
    what = "nothing came of cases 0 to 7 of programs, seed 1, on one/x86_64 in 3 tries"
    with pytest.raises(BenchError, match=f"{what}, .* ended with -9"):
        run(one, tmp_path, 1, lambda _: None, totals=Totals(one.lanes), work=hopeless)


def test_a_fault_of_the_bench_ends_the_campaign_with_its_trace(tmp_path: Path) -> None:
    one = campaign(8)
    with pytest.raises(BenchError) as caught:
        run(one, tmp_path, 1, lambda _: None, totals=Totals(one.lanes), work=faulty)
    assert "ValueError: a fault of the bench" in caught.value.details
    assert "cases 0 to 7 of programs, seed 1, on one/x86_64" in str(caught.value)
    assert not list(journal.read(tmp_path)), "cases are through that nobody ran"


def test_a_process_without_memory_is_no_fault_of_the_bench(tmp_path: Path) -> None:
    one = campaign(8)
    with pytest.raises(BenchError, match=r"because the bench has no memory left; .*ulimit -v") as caught:
        run(one, tmp_path, 1, lambda _: None, totals=Totals(one.lanes), work=without_memory)
    assert not caught.value.details


def test_a_cache_that_cannot_be_used_ends_the_campaign_with_what_is_wrong(tmp_path: Path) -> None:
    one = campaign(8)
    with pytest.raises(BenchError, match="cannot use the cache at /cache: No space left on device; free space there"):
        run(one, tmp_path, 1, lambda _: None, totals=Totals(one.lanes), work=full)


@pytest.mark.parametrize(
    ("work", "kind", "told"),
    [
        (
            without_emulator,
            NotInstalled,
            "qemu-system-absent is not installed; install it, on Debian: apt-get install qemu-system-x86",
        ),
        (without_kernel, UserError, "no kernel; import it"),
    ],
)
def test_what_trying_again_does_not_mend_ends_the_campaign_at_once(
    work: Work, kind: type[HilError], told: str, tmp_path: Path
) -> None:
    one, said = campaign(8), list[str]()
    with pytest.raises(kind) as caught:
        run(one, tmp_path, 1, lambda _: None, totals=Totals(one.lanes), work=work, say=said.append)
    assert str(caught.value) == told and not said
    assert not list(journal.read(tmp_path)), "cases are through that nobody ran"


@pytest.mark.parametrize(("work", "why"), [(nonsense, "operation 0 makes no sense"), (too_large, "too many steps")])
def test_a_case_that_the_bench_made_wrong_is_no_mistake_of_the_user(work: Work, why: str, tmp_path: Path) -> None:
    one = campaign(8)
    told = f"nothing came of cases 0 to 7 of programs, seed 1, on .* in 3 tries, .* {why}; .*report errors of hil"
    with pytest.raises(BenchError, match=told):
        run(one, tmp_path, 1, lambda _: None, totals=Totals(one.lanes), work=work)


def test_what_a_terminal_sends_to_its_processes_is_for_the_bench_alone(tmp_path: Path) -> None:
    """Otherwise the bench would give to others what the signal that ends it took from a process, and tell so."""
    one = campaign(8)
    run(one, tmp_path, 1, lambda _: None, totals=Totals(one.lanes), work=noting_its_group)
    (noted,) = tmp_path.glob("group-*")
    assert noted.name != f"group-{os.getpgrp()}"


def test_a_fault_that_passes_costs_its_range_a_second_run(tmp_path: Path) -> None:
    one = campaign(32)
    run(one, tmp_path, 2, lambda _: None, totals=Totals(one.lanes), work=faulty_at_first)
    carried_out(tmp_path / "alone", one)
    assert found(tmp_path) == found(tmp_path / "alone")
