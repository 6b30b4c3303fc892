# SPDX-License-Identifier: MIT
"""The record of how a program of a user's object fared on a lane: a part of `results.json`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Answer(StrEnum):
    """The answer to one question about a program on a lane. `UNTRIED`: it was not asked, because what comes before
    failed or because the bench cannot; `UNKNOWN`: it was tried, and nobody can say."""

    YES = "yes"
    NO = "no"
    UNTRIED = "untried"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Why:
    """Why an answer is no, in words. `stage` is the question, `errno` the name of the error, `rule` the rule of the
    kernel behind it, `remedy` what would change it; `instruction` counts from the beginning of the program, `line` is
    its line of the source. `messages` are the kernel's own last lines."""

    stage: str
    what: str
    kind: str = ""
    """One word for what it is: `symbol`, `helper`, `verifier`."""
    errno: str | None = None
    rule: str = ""
    remedy: str = ""
    instruction: int | None = None
    line: str = ""
    source: str = ""
    """The text of that line."""
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """A program of an object on a lane. `script` is the name of the script that tried it.

    `loads`, `attaches` and `fires` are what the kernel said, `expected_load` what the model says of the load: `yes`,
    `no`, or `unknown`. `model` says whether map contents are what the model predicts, `lanes` whether they are what
    other lanes have. `hits` are those that the kernel counted of the probe, `missed` those that it missed. `processed`
    is how many instructions the verifier followed, where the kernel tells. `notes` say what was changed of the object
    for this lane.
    """

    lane: str
    object: str
    program: str
    section: str
    script: str
    loads: Answer = Answer.UNTRIED
    attaches: Answer = Answer.UNTRIED
    fires: Answer = Answer.UNTRIED
    model: Answer = Answer.UNTRIED
    lanes: Answer = Answer.UNTRIED
    expected_load: Answer = Answer.UNKNOWN
    hits: int | None = None
    missed: int | None = None
    processed: int | None = None
    whys: tuple[Why, ...] = ()
    notes: tuple[str, ...] = ()
