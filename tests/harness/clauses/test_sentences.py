# SPDX-License-Identifier: MIT
"""A clause is printed beside its id and nothing else, so each is a full statement that stands alone."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from functools import cache

import pytest

from harness.clauses import clauses
from harness.clauses.parts import NOT_SUPPORTED
from harness.model.eras import every_era
from harness.script.outcome import Outcome

BEGINS = re.compile(r"[A-Z]|(32|64)-bit |[a-z_]+\(2\) |bpf_[a-z0-9_]+ ")
"""A capital, a width, a system call or a helper."""
LEANING = frozenset(
    word.capitalize()
    for word in re.findall(
        r"\w+",
        """and nor but or so not also otherwise which whose who what from to in of on by with without into
        even if unless then it they that this these those its their both neither either too below behind
        under until since""",
    )
)
"""Words at the beginning of what goes on with something said before. (`Before 6.12, a CPU ...` does not.)"""
VERBS = frozenset(
    re.findall(
        r"\S+",
        """accepts adds allows appear are attaches begins belongs calls can cannot carries changes checks
        clears closes compares computes copies costs count counts deletes denies depends detaches divides
        does drops ends evicts fails fills follows gets give gives go goes has have holds ignores is
        jumps keep keeps lasts leads leaves lets lie loads looks loses makes maps may moves names needs
        obeys opens panics prints puts reads refuses removes returns rounds run runs says sees sets shows
        sign-extends starts stays stops store stores succeeds swaps takes tell tells touches uses waits
        wakes wraps writes zero-extends""",
    )
)
"""What the predicates of clauses are made of; one that says something new adds its verb."""
ID = re.compile(r"\b[A-Z]+-\d+(?:\.[a-z0-9-]+)*\b")

ERRNO = re.compile(r"(?<![-\w])E[A-Z0-9]+\b")
"""An errno that a system call gives: what helpers return is data, and written `-EINVAL`."""
KNOWN = {*errno.errorcode.values(), "ENOTSUPP", "ENOTSUP"}


def sentences() -> Iterator[tuple[str, str]]:
    """Every clause's id and sentence, of any era and architecture."""
    seen: set[tuple[str, str]] = set()
    for rules in every_era():
        for clause in clauses(rules.arch, rules.name):
            if (row := (clause.id, clause.sentence)) not in seen:
                seen.add(row)
                yield row


@cache
def by_id() -> dict[str, str]:
    """The sentences; made when the first test asks for them, not whenever tests are collected."""
    return dict(sentences())


def test_a_clause_says_the_same_everywhere() -> None:
    assert [row for row in sentences() if by_id()[row[0]] != row[1]] == []


def leans(sentence: str) -> str:
    """Why a sentence does not stand alone, "" if it does."""
    words = re.findall(r"[\w-]+", sentence)
    if not BEGINS.match(sentence):
        return "begins with neither a capital nor a name"
    if words[0] in LEANING:
        return f"begins with {words[0]!r}"
    if len(words) < 4:
        return "is no full statement"
    if not VERBS & set(words):
        return "has no verb"
    return "ends in the air" if sentence[-1] in ".,;: " else ""


def test_every_sentence_stands_alone() -> None:
    assert {id: (sentence, why) for id, sentence in by_id().items() if (why := leans(sentence))} == {}


@pytest.mark.parametrize(
    "sentence",
    [
        "but not outside",
        "Nor is a file",
        "And ends there",
        "From the first one on",
        "A key",
        "A descriptor that nobody opened before",
        "an update reads the key",
        "A hash map gives EINVAL:",
    ],
)
def test_what_leans_on_another_sentence_is_found(sentence: str) -> None:
    assert leans(sentence)


def test_no_two_clauses_have_one_sentence() -> None:
    owners: dict[str, list[str]] = {}
    for id, sentence in by_id().items():
        owners.setdefault(sentence, []).append(id)
    assert {sentence: ids for sentence, ids in owners.items() if len(ids) > 1} == {}


def test_sentences_name_no_other_clause() -> None:
    assert {id: sentence for id, sentence in by_id().items() if ID.search(sentence)} == {}


def errnos() -> dict[str, set[str]]:
    """By clause, every errno that one of its steps gives in an era for which it holds."""
    found: dict[str, set[str]] = {}
    for rules in every_era():
        for clause in clauses(rules.arch, rules.name):
            expected = [said for said in clause.script(rules.name).expected if isinstance(said, Outcome)]
            threads = [thread for said in expected if isinstance(said.threads, tuple) for thread in said.threads]
            steps = [*expected, *(step for thread in threads if isinstance(thread, tuple) for step in thread)]
            given = {step.errno for step in steps if isinstance(step, Outcome) and isinstance(step.errno, str)}
            found.setdefault(clause.id, set()).update(given)
    return found


def test_a_sentence_names_no_errno_that_no_step_gives() -> None:
    given = errnos()
    for names in given.values():
        if NOT_SUPPORTED in names:
            names.add("ENOTSUPP")
    named = {id: set(ERRNO.findall(sentence)) & KNOWN for id, sentence in by_id().items()}
    assert {id: names - given[id] for id, names in named.items() if names - given[id]} == {}
