# SPDX-License-Identifier: MIT
"""The page docs/eras.md: what changed from each release to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from harness.clauses import clauses
from harness.model.architecture import ARCHITECTURES, ArchitectureRules, architecture_rules
from harness.model.upstream import CHANGES
from harness.model.upstream.change import Change, Seen
from harness.release import CHECKED, READ, RUN, Release, dotted, release
from harness.report.gfm import line
from harness.script.clause import FIRST, Step
from harness.script.source import source
from hil.kernels import distributions


def markdown() -> str:
    """Returns the whole page."""
    return "\n".join([*_introduction(), *_upstream(), *_architectures(), *_distributions()]) + "\n"


def _introduction() -> Iterator[str]:
    yield "# What changed from release to release"
    yield ""
    yield "A kernel is judged by the rules of 4.1 with every change up to its release, as its distribution configured"
    yield "them and its architecture has them. This page is written by `hil lanes --changes` from"
    yield "`harness/model/upstream`, `harness/model/architecture.py` and `images/distributions`."
    yield ""
    yield f"Every clause was held against running kernels of {', '.join(map(dotted, RUN))}.{_read()}"
    yield "A change whose commit was looked up counts from the release that made it; any other from the first release"
    yield "it was seen in. Whether the releases between that one and the last one without it have the change, nobody"
    yield "knows: of them is predicted what holds with the change and without."
    yield ""
    yield from _windows()


def _read() -> str:
    names = ", ".join(map(dotted, READ))
    return f" Of {names} the sources were read, and no kernel was run." if READ else ""


def _windows() -> Iterator[str]:
    """Yields the ranges of releases in which something was never looked up, and how much."""
    windows = Counter((one.after, one.since) for one in (*CHANGES, *_of_architectures()) if one.after < one.since)
    yield "| not in | in | changes of which the releases between were not checked |"
    yield "|---|---|---|"
    for (after, since), count in sorted(windows.items()):
        yield f"| {dotted(after)} | {dotted(since)} | {count} |"
    yield ""


def _of_architectures() -> Iterable[Seen]:
    found = (seen for own in ARCHITECTURES.values() for seen in (own.reads_checked, *own.jit_helpers.values()) if seen)
    return dict.fromkeys(found)


def _upstream() -> Iterator[str]:
    releases = sorted({one.since for one in CHANGES} | {*CHECKED} - {release(FIRST)})
    for since in releases:
        yield f"## {dotted(since)}"
        yield ""
        yield from (f"- {_sentence(one)}" for one in CHANGES if one.since == since)
        if told := _clauses(since):
            yield f"- Clauses that begin, end or say something else: {', '.join(f'`{id}`' for id in told)}"
        yield ""


def _sentence(one: Change) -> str:
    said = one.sentence.replace("_", r"\_").replace("*", r"\*")
    if one.commit:
        said += f" [{one.commit.partition(', ')[2]}]({source(f'commit {one.commit}', FIRST).link})"
    elif one.after < one.since:
        said += f" (First seen here; not in {dotted(one.after)}.)"
    if one.stable:
        said += f" Stable releases of {', '.join(map(dotted, sorted(one.stable)))} got it, too."
    return said


def _clauses(since: Release) -> list[str]:
    """Returns the clauses that differ before and from `since` on."""
    if since not in CHECKED:
        return []
    name, before = dotted(since), dotted(CHECKED[CHECKED.index(since) - 1])
    found: set[str] = set()
    for arch in ARCHITECTURES:
        if release(before) < architecture_rules(arch).since:
            continue
        older, newer = clauses(arch, before), clauses(arch, name)
        found |= {clause.id for clause in older} ^ {clause.id for clause in newer}
        found |= {
            clause.id for clause in newer for step in clause.steps if isinstance(step, Step) and name in step.said
        }
    return sorted(found)


def _unprobed(own: ArchitectureRules) -> str:
    return "from {} until {}".format(*map(dotted, own.entries_traced)) if own.entries_traced else "-"


def _faults(own: ArchitectureRules) -> str:
    return ", ".join(f"{fault.name.lower()} ({dotted(fixed)})" for fault, fixed in own.faults.items()) or "none known"


def _helpers(own: ArchitectureRules) -> str:
    return (
        ", ".join(f"{int(helper)} (since {dotted(seen.since)})" for helper, seen in own.jit_helpers.items()) or "none"
    )


_OF_AN_ARCHITECTURE: tuple[tuple[str, Callable[[ArchitectureRules], str]], ...] = (
    ("architecture", lambda _: ""),
    ("kprobes since", lambda own: dotted(own.kprobes)),
    ("no probe on the first instruction of a function", _unprobed),
    ("faults of its JIT, and what fixed them", _faults),
    ("helpers for its JIT only", _helpers),
    ("tail calls into empty slots count in its JIT", lambda own: "always" if own.counts_empty_slots else "by release"),
)


def _architectures() -> Iterator[str]:
    yield "## By architecture"
    yield ""
    yield line(heading for heading, _ in _OF_AN_ARCHITECTURE)
    yield line("---" for _ in _OF_AN_ARCHITECTURE)
    for name, own in ARCHITECTURES.items():
        yield line((name, *(cell(own) for _, cell in _OF_AN_ARCHITECTURE[1:])))
    yield ""


def _distributions() -> Iterator[str]:
    yield "## By distribution"
    yield ""
    yield "A kernel's image and its configuration tell which it is, or whoever imports it does; others can be declared:"
    yield "[distributions.md](distributions.md). The running kernel's settings are believed where they differ."
    yield ""
    for name, one in distributions.built_in().items():
        settings = ", ".join(f"`{path}` = {value}" for path, value in one.settings.items())
        patched = "".join(f"; has the patch `{patch}`" for patch in sorted(one.patches))
        yield f"- {name}: {f'sets {settings}' if settings else 'leaves every setting as upstream has it'}{patched}"
