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


class Word(StrEnum):
    """How far a program came on a lane, in one word. `OPEN`: the model alone was asked, and does not know."""

    FIRES = "fires"
    ATTACHES = "attaches"
    LOADS = "loads"
    NOT_ATTACHED = "not attached"
    REFUSED = "refused"
    OPEN = "open"
    NOT_RUN = "not run"


WITH_REASON = (Word.REFUSED, Word.NOT_ATTACHED)
"""Those that an expectation may name a kind of reason of."""
OTHER_REGISTERS = "architecture"
"""The kind of reason of a program that reads registers of another architecture than the lane's."""
NO_COMMAND = "no-command"
"""The kind of reason of a program that a command was to fire which never ran."""
_RISING = (Word.LOADS, Word.ATTACHES, Word.FIRES)
"""An expectation of one of these is also met by those behind it: whether a probe is hit may be chance."""


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
class Element:
    """An element of a map, as text: up to eight bytes as a number, more as the bytes; of a map with a value for each
    CPU, all of them."""

    key: str
    value: str


@dataclass(frozen=True)
class MapContent:
    """What a map held when a program's script was through, as far as it was read; `zero` counts elements of an array
    that are left out, since they are 0."""

    name: str
    elements: tuple[Element, ...]
    zero: int = 0


@dataclass(frozen=True)
class Checked:
    """A program of an object on a lane. `script` is the name of the script that tried it.

    `loads`, `attaches` and `fires` are what the kernel said, `expected_load` what the model says of the load: `yes`,
    `no`, or `unknown`. `model` says whether map contents are what the model predicts, `lanes` whether they are what
    other lanes have. `hits` are those that the kernel counted of the probe, `missed` those that it missed. `processed`
    is how many instructions the verifier followed, where the kernel tells. `notes` say what was changed of the object
    for this lane, `maps` what the program's maps held when its script was through.
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
    maps: tuple[MapContent, ...] = ()
    expected: str = ""
    """What the user's table says of it: a word of `Word`, for those not loaded or attached also with the kind of
    reason, as in `refused: helper`; empty where there is no such table."""

    @property
    def word(self) -> Word:
        """Returns how far the program came."""
        if self.loads is Answer.NO:
            return Word.REFUSED
        if self.loads is Answer.UNKNOWN:
            return Word.OPEN
        if self.loads is Answer.UNTRIED:
            return Word.NOT_RUN
        if self.attaches is Answer.NO:
            return Word.NOT_ATTACHED
        if self.attaches is not Answer.YES:
            return Word.LOADS
        return Word.FIRES if self.fires is Answer.YES else Word.ATTACHES

    @property
    def verdict(self) -> str:
        """Returns the word as a table of expectations has it, with the kind of the first reason."""
        kind = self.whys[0].kind if self.whys and self.word in WITH_REASON else ""
        return f"{self.word}: {kind}" if kind else str(self.word)

    @property
    def contradicted(self) -> bool:
        """Returns whether the kernel's answer to the load is not the one that the model is certain of."""
        return {self.loads, self.expected_load} == {Answer.YES, Answer.NO}

    @property
    def differs(self) -> bool:
        """Returns whether model, kernel and other lanes do not agree on what the program did."""
        return self.contradicted or Answer.NO in (self.model, self.lanes)

    @property
    def misread(self) -> bool:
        """Returns whether what it read is not what it was compiled to read: registers of another architecture."""
        return any(why.kind == OTHER_REGISTERS for why in self.whys)

    @property
    def fine(self) -> bool:
        """Returns whether it fared as the user's table says; without one, whether it was loaded and, where the bench
        can, attached, reads the registers it was compiled to read, and the command that was to fire it ran. No
        difference is fine, whatever is expected."""
        if self.differs:
            return False
        if not self.expected:
            wrong = self.misread or any(why.kind == NO_COMMAND for why in self.whys)
            return self.word not in (Word.REFUSED, Word.NOT_ATTACHED, Word.NOT_RUN) and not wrong
        word, _, kind = self.expected.partition(": ")
        if word in _RISING and self.word in _RISING:
            return _RISING.index(self.word) >= _RISING.index(Word(word))
        return word == self.word and (not kind or self.verdict == self.expected)
