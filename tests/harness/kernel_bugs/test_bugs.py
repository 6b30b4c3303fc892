# SPDX-License-Identifier: MIT
"""The entries of bugs.toml: complete, and right in the model's words, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.kernel_bugs.bugs import ACCEPTED, Bug, Observe, bugs
from harness.kernel_bugs.commands import command
from harness.kernel_bugs.page import markdown
from harness.lane import Engine, Lane
from harness.model.executor import ModelExecutor
from harness.script.outcome import Either, Outcome, Prediction, Unpredicted
from hil.errors import BenchError
from tests.harness.model.running import environment

PAGE = Path(__file__).resolve().parents[3] / "docs" / "kernel-bugs.md"
SHOWN = [one for one in bugs() if one.program]
KERNELS = {"linux-4.1": "4.1", "debian-11": "5.10", "debian-12": "6.1", "debian-13": "6.12", "debian-sid": "7.2"}


def test_the_page_is_what_the_entries_say() -> None:
    assert PAGE.read_text() == markdown(), "write it again: make pages"


def test_every_entry_has_a_name_of_its_own_and_a_line() -> None:
    assert len({one.id for one in bugs()}) == len(bugs())
    result = CliRunner().invoke(command)
    assert result.exit_code == 0 and all(one.id[:12] in result.output for one in bugs())


@pytest.mark.parametrize("bug", SHOWN, ids=lambda bug: bug.id)
def test_what_is_right_is_what_the_model_predicts(bug: Bug) -> None:
    """On every lane that was seen to be right, under the kernel's verdict where the model has none."""
    lanes = [Lane(kernel, arch, engine) for kernel in KERNELS for arch in ("x86_64", "arm64") for engine in Engine]
    right = [lane for lane in lanes if bug.expected(lane) == bug.right]
    assert right
    script = bug.script()
    for lane in right:
        model = ModelExecutor(environment(KERNELS[lane.kernel], lane.arch, engine=str(lane.engine)))
        predicted = model.run(script, None, [Outcome(value=3) for _ in script.operations])
        assert bug.right in said(bug, predicted[-1]), lane
        assert bug.wrong not in said(bug, predicted[-1]), lane


def said(bug: Bug, prediction: Prediction) -> list[str]:
    """What the model admits, in the words of the entries; anything of a load that only the kernel has a word for."""
    if isinstance(prediction, Unpredicted):
        assert bug.observe == Observe.LOAD, prediction
        return [bug.right]
    assert isinstance(prediction, Outcome | Either)
    outcomes = prediction.outcomes if isinstance(prediction, Either) else (prediction,)
    return [bug.given([one]) for one in outcomes]


def test_lanes_without_a_word_are_not_judged() -> None:
    (bug,) = (one for one in bugs() if one.id == "x86-store-r10-byte")
    assert bug.expected(Lane("linux-4.1", "x86_64", Engine.JIT)) == bug.wrong == "7"
    assert bug.expected(Lane("linux-4.1", "x86_64", Engine.INTERP)) == bug.right == "0"
    assert bug.expected(Lane("debian-12", "x86_64", Engine.JIT)) is None
    (without,) = (one for one in bugs() if one.id == "arm64-jit-stack")
    assert without.expected(Lane("linux-4.1", "arm64", Engine.JIT)) is None
    with pytest.raises(BenchError, match="has no program"):
        without.script()


def test_what_an_operation_gave_is_told_as_entries_do() -> None:
    (load,) = (one for one in bugs() if one.id == "negative-alu-offset")
    assert load.observe == Observe.LOAD
    assert (load.given([Outcome(value=3)]), load.given([Outcome(errno="EINVAL")])) == (ACCEPTED, "EINVAL")


def test_an_entry_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bugs.toml"
    for content, words in (
        ("[[bug]]\nid = 'x'\n", "title"),
        ("[[bug]]\nstrange = 1\n", "strange"),
        ("[[bug\n", "TOML|Expected"),
        (entry(), "needs a program"),
        (entry(program="exit"), "needs a program"),
    ):
        file.write_text(content)
        with pytest.raises(BenchError, match=words):
            bugs(file)


def entry(**more: str) -> str:
    """One with all that an entry must have, but for what shows it."""
    words = dict.fromkeys(("id", "title", "what", "where", "fix", "fixed_in", "status", "found"), "x") | more
    return "[[bug]]\nhas = []\nhas_not = []\n" + "".join(f"{name} = '{value}'\n" for name, value in words.items())
