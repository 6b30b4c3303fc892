# SPDX-License-Identifier: MIT
"""Tables keyed by release: each has a word for every release that is judged, and none for what is no such release."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.abi.pt_regs import LAYOUTS
from harness.clauses import clauses
from harness.clauses.sections import FILE, sections
from harness.debug.hooks import FILTER_HOOKS, KPROBE_HOOKS
from harness.model.architecture import ARCHITECTURES, architecture_rules
from harness.model.eras import ERAS, eras_of, every_era
from harness.model.upstream import CHANGES, LATEST
from harness.model.upstream.change import BETWEEN_THOSE_SEEN
from harness.release import CHECKED, RUN, Release, dotted, newest, point, release
from harness.script.clause import Step
from harness.script.source import TAGS
from tests.harness.clauses.lanes import VERSIONS

TABLES = {
    "harness/model/upstream/__init__.py: LATEST": set(LATEST),
    "harness/model/upstream/change.py: BETWEEN_THOSE_SEEN": set(BETWEEN_THOSE_SEEN),
    "harness/script/source.py: TAGS": set(map(release, TAGS)),
    "tests/harness/clauses/lanes.py: VERSIONS": set(map(release, VERSIONS)),
    **{f"{FILE.name}: {name}": {release(era) for rows in one.sources.values() for era in rows}
       for name, one in sections().items()},
    **{f"harness/model/upstream: {one.sentence}": set(one.stable) for one in CHANGES if one.stable},
}  # fmt: skip
"""By the file that has it: the releases a table has rows for, which are some of those judged."""


@pytest.mark.parametrize("name", TABLES)
def test_no_row_is_for_a_release_that_is_not_judged(name: str) -> None:
    assert TABLES[name] <= set(CHECKED), (
        f"{name}: {sorted(map(dotted, TABLES[name] - set(CHECKED)))} is never asked for"
    )


def test_every_release_that_was_run_has_its_row() -> None:
    assert tuple(LATEST) == RUN, "harness/model/upstream/__init__.py: LATEST"
    assert tuple(map(release, VERSIONS)) == CHECKED, "tests/harness/clauses/lanes.py: VERSIONS"


@pytest.mark.parametrize("era", ERAS)
def test_what_is_the_newest_row_of_a_table_is_there_for_every_release(era: str) -> None:
    one = release(era)
    assert newest(KPROBE_HOOKS, one) and newest(FILTER_HOOKS, one), "harness/debug/hooks.py"
    for arch in ARCHITECTURES:
        assert era not in eras_of(arch) or newest(LAYOUTS[arch], one), f"harness/abi/pt_regs.py: {arch}"


def test_no_layout_of_registers_begins_before_its_architecture() -> None:
    for arch, table in LAYOUTS.items():
        assert min(table) == architecture_rules(arch).since, f"harness/abi/pt_regs.py: {arch}"


def test_windows_of_stable_releases_are_of_their_series_and_before_the_release_that_made_the_change() -> None:
    for one in CHANGES:
        for series, window in one.stable.items():
            assert series < one.since, one.sentence
            assert window.last_without < window.first_with, one.sentence
            assert window.last_without >> 8 in (0, series[0] << 8 | series[1]), f"{one.sentence}: {dotted(series)}"
            assert window.first_with >> 8 >= series[0] << 8 | series[1], f"{one.sentence}: {dotted(series)}"


def said() -> Iterator[tuple[str, Release]]:
    """Every row of every clause, by its id and the key of the row."""
    for rules in every_era():
        for clause in clauses(rules.arch, rules.name):
            keys = {key for step in clause.steps if isinstance(step, Step) for key in step.said}
            for key in keys | {clause.since} | ({clause.until} if clause.until else set()):
                yield f"{clause.id}: {key}", point(key)[0]


def test_no_row_of_a_clause_is_for_a_release_that_is_not_judged() -> None:
    assert {name for name, one in said() if one not in CHECKED} == set()
