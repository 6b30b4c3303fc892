# SPDX-License-Identifier: MIT
"""The command that repeats one script of a run."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.compare import Verdict
from harness.lane import compact
from harness.run.results import ScriptResult

_CHOOSES = {"run": "--scripts", "conform": "--clauses"}
"""The option that chooses among a subcommand's scripts."""
_CHOICES = ("--lanes", "--programs", "--output", "--expect", "--write-expect", "--jobs")
"""Options of `hil check` and `hil replay` that choose what is run, or where it is kept."""
_OF: Mapping[str, Sequence[str]] = {"case": (), "script": ("--of", "scripts"), "verdicts": ("--of", "verdicts")}
CASE = re.compile(r"(?P<kind>case|script|verdicts)-(?P<seed>\d+)-(?P<number>\d+)")
"""The names of cases of `hil fuzz`, see `harness.fuzz.generate.case`, `harness.fuzz.scripts.script` and
`harness.fuzz.verdicts.case`."""


_LEADS = ("--target", "--ssh-config", "--target-config", "--target-timeout")
"""The options that lead to a board."""


def target_options(command: Sequence[str]) -> list[str]:
    """The options of a command that lead to a board; none where it boots lanes."""
    words = [word for one in command for word in (one.split("=", 1) if one.startswith(_LEADS) else [one])]
    pairs = itertools.pairwise(words)
    return [word for name, value in pairs if name in _LEADS for word in (name, value)]


def _where(command: Sequence[str], lanes: Iterable[str]) -> list[str]:
    """The options that choose lanes: of a board every one, since it is there anyway."""
    return target_options(command) or ["--lanes", ",".join(compact(lanes))]


def again(command: Sequence[str], lanes: Iterable[str], script: str, rounds: int = 1) -> str:
    """The command that runs `script` alone on `lanes`, as often; of the same kind as `command`, that of the run."""
    own = next(iter(command[1:2]), "")
    if own == "exec":
        return shlex.join(["hil", *command[1:]])
    if own == "check":
        program = re.sub(r"-\d+$", "", script.rpartition(":")[2])
        return shlex.join([*_same_files(command, lanes), "--programs", program])
    if own == "replay":
        return shlex.join(_same_files(command, lanes))
    case = CASE.fullmatch(script)
    if case and own in ("fuzz", "bisect"):
        of = _OF[case["kind"]]
        choice = [*of, "--seed", case["seed"], "--case", case["number"]]
        return shlex.join(["hil", "fuzz", *_where(command, lanes), *choice])
    likely = "conform" if script[:1].isupper() else "run"  # ids of clauses are in capitals
    subcommand = own if own in _CHOOSES else likely
    pattern = "".join(f"[{letter}]" if letter in "*?[" else letter for letter in script)
    words = ["hil", subcommand, *_where(command, lanes), _CHOOSES[subcommand], pattern]
    return shlex.join([*words, "--repeat", str(rounds)] if rounds > 1 else words)


def _same_files(command: Sequence[str], lanes: Iterable[str]) -> list[str]:
    """The same command for the same files with the same options, on some lanes."""
    kept, skip = [], False
    for word in command[2:]:
        name = word.partition("=")[0]
        if not skip and name not in _CHOICES:
            kept.append(word)
        skip = name in _CHOICES and name == word
    where = [] if target_options(command) else ["--lanes", ",".join(compact(lanes))]
    return ["hil", command[1], *kept, *where]


def command_line(argv: Sequence[str]) -> tuple[str, ...]:
    """The command of a run as it is recorded: the subcommand comes first. What is before it, `-v` say, takes no values
    and changes nothing of what is run."""
    start = next((place for place, word in enumerate(argv) if place and not word.startswith("-")), len(argv))
    return (*argv[:1], *argv[start:])


def with_again(result: ScriptResult, command: Sequence[str]) -> ScriptResult:
    """The result with its own command, unless it is as predicted."""
    if result.verdict is Verdict.AGREE:
        return result
    return replace(result, again=again(command, involved([result]), result.script, result.rounds))


def involved(results: Iterable[ScriptResult]) -> tuple[str, ...]:
    """The lanes it takes to see the same of a script again: the results' own, and those that they disagree with."""
    told = ((one.lane, one.operation.against if one.operation else ()) for one in results)
    return tuple(dict.fromkeys(lane for own, others in told for lane in (own, *others)))
