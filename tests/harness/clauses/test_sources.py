# SPDX-License-Identifier: MIT
"""Every clause says where in the kernel it comes from, in a form that becomes a link."""

from __future__ import annotations

import pytest

from harness.clauses import by_section, clauses, sections
from harness.clauses.sections import Section
from harness.model.eras import every_era
from harness.script.clause import Clause
from harness.script.operations import Close
from harness.script.source import source


@pytest.mark.parametrize(("era", "arch"), [(rules.name, rules.arch) for rules in every_era()])
def test_every_clause_has_a_source_that_becomes_a_link(era: str, arch: str) -> None:
    without = [clause.id for clause in clauses(arch, era) if not clause.source]
    assert not without, "name them in harness/clauses/sections.toml"
    for clause in clauses(arch, era):
        found = clause.script(era).source
        assert found is not None and found.text == clause.source
        assert found.link.startswith(("https://elixir.bootlin.com/linux/", "https://git.kernel.org/linus/"))


def test_sources_are_shown_as_a_release_has_them() -> None:
    links = [source("kernel/bpf/core.c: bpf_prog_alloc()", era).link for era in ("4.1", "6.6")]
    assert [link.split("/")[4] for link in links] == ["v4.1.52", "v6.6"]


def test_the_longest_beginning_of_an_id_and_the_latest_row_count() -> None:
    section = Section("maps", "", "", {"MAP-": {"4.1": "a"}, "MAP-02": {"4.1": "b", "6.1": "c"}, "X": {"5.10": "d"}})
    assert section.source("MAP-01", "6.12") == "a"
    assert section.source("MAP-02.key", "5.10") == "b"
    assert section.source("MAP-02.key", "6.12") == "c"
    assert section.source("X-1", "4.1") == section.source("Y-1", "7.2") == ""


def test_no_row_of_a_section_is_there_for_nothing() -> None:
    used = {name: set[str]() for name in sections()}
    for rules in every_era():
        for section, found in by_section(rules.arch, rules.name):
            for clause in found:
                beginnings = [beginning for beginning in section.sources if clause.id.startswith(beginning)]
                used[section.name].add(max(beginnings, key=len))
    for name, section in sections().items():
        assert section.sources.keys() == used[name], section.sources.keys() - used[name]


def test_a_clause_may_name_its_own_source() -> None:
    clause = Clause("X-1", "Nothing is closed", (Close(-1),), source="kernel/fork.c: do_fork()")
    script = clause.script("4.1")
    assert script.source == source("kernel/fork.c: do_fork()", "4.1")
    assert Clause("X-1", "Nothing is closed", (Close(-1),)).script("4.1").source is None


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("kernel/fork.c: do_fork()", "https://elixir.bootlin.com/linux/v6.1/source/kernel/fork.c"),
        ("net/core/filter.c: SYSCALL_DEFINE3(bpf)", "https://elixir.bootlin.com/linux/v6.1/source/net/core/filter.c"),
        ("lib/vsprintf.c: kptr_restrict", "https://elixir.bootlin.com/linux/v6.1/source/lib/vsprintf.c"),
        ("commit 2541517c32be, tracing, perf: Implement BPF programs", "https://git.kernel.org/linus/2541517c32be"),
    ],
)
def test_a_source_is_shown_as_the_era_has_it(text: str, link: str) -> None:
    assert source(text, "6.1").link == link


@pytest.mark.parametrize(
    "text", ["", "kernel/fork.c", "do_fork()", "2541517c32be", "commit 2541517c32be", "the kernel"]
)
def test_what_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names neither"):
        source(text, "4.1")


def test_every_section_has_clauses() -> None:
    assert all(section.title and section.introduction for section in sections().values())
