# SPDX-License-Identifier: MIT
"""The commands in the README and in docs/: `console` blocks are run, each other line that begins with `hil` is one that
`hil` understands.

Before a block is a comment: `run`, with `guest` where it takes a machine and `status N` where it fails, or `not run`
with the reason. Lines of the output are looked for in their order; `...` stands for any text, also of several lines.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from hil.cli import hil
from hil.errors import HilError

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*map(ROOT.joinpath, ("README.md", "CONTRIBUTING.md", "examples/README.md")), *sorted(ROOT.glob("docs/*.md"))]
_BLOCK = re.compile(r"(?:<!-- (?P<how>[^>]+) -->\n)?```console\n(?P<lines>.*?)```", re.DOTALL)
_FILE = re.compile(r"```python\n(?P<text>.*?)```", re.DOTALL)
_INDENTED = re.compile(r"^    (?:\$ )?(hil .*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Commands of a page, with what they print, and how they are run."""

    page: Path
    how: str
    lines: str

    @property
    def guest(self) -> bool:
        return "guest" in self.how

    @property
    def status(self) -> int:
        found = re.search(r"status (\d+)", self.how)
        return int(found[1]) if found else 0

    def commands(self) -> Iterator[tuple[str, str]]:
        """Every command with the output that is shown for it."""
        for part in re.split(r"^\$ ", self.lines, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def blocks() -> list[Block]:
    return [
        Block(page, found["how"] or "", found["lines"]) for page in PAGES for found in _BLOCK.finditer(page.read_text())
    ]


RUN = [block for block in blocks() if block.how.startswith("run")]


def identity(block: Block) -> str:
    return f"{block.page.stem}: {next(block.commands())[0]}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the tests that a reader has by then, and `hil` and `pytest` on the path."""
    for example in (ROOT / "docs/examples").glob("*.py"):
        shutil.copy(example, tmp_path)
    mine = _FILE.search((ROOT / "docs/tutorial.md").read_text())
    assert mine
    (tmp_path / "test_mine.py").write_text(mine["text"])
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(block: Block) -> None:
    for command, shown in block.commands():
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=600)  # noqa: S602  # as a reader
        told = f"{command}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == block.status, told
        pattern = ".*?".join(re.escape(_blanks(part)) for part in shown.split("..."))
        assert re.search(pattern, _blanks(done.stdout), re.DOTALL), told


def _blanks(text: str) -> str:
    """Text in which columns may have any width."""
    return re.sub(r" +", " ", text).strip()


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("block", [block for block in RUN if not block.guest], ids=identity)
def test_a_block_gives_what_it_shows(block: Block) -> None:
    run(block)


@pytest.mark.guest
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("block", [block for block in RUN if block.guest], ids=identity)
def test_a_block_gives_what_it_shows_in_a_guest(block: Block) -> None:
    run(block)


def test_every_block_is_run_or_says_why_not() -> None:
    assert len(RUN) > 5
    assert not [identity(block) for block in blocks() if not re.match(r"run\b|not run: \w+", block.how)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`hil` parses it: there is such a command, with such options and values. Files that it names are made up."""
    monkeypatch.chdir(tmp_path)
    context = click.Context(hil, info_name="hil")
    text = re.sub(r" \\\n\s*", " ", page.read_text())  # lines that go on
    for line in _INDENTED.findall(text):
        words = shlex.split(line, comments=True)[1:]
        words = words[: next((place for place, word in enumerate(words) if word in (">", "|", "&&", ";")), len(words))]
        while words and words[0] in ("-v", "-vv"):
            words = words[1:]
        if words and not words[0].startswith("-"):
            understood(context, words, line)


def understood(context: click.Context, words: list[str], line: str) -> None:
    assert isinstance(context.command, click.Group)
    name, *rest = [Path(word).name if word.startswith("/") else word for word in words]  # files of the reader's host
    command = context.command.get_command(context, name)
    assert command is not None, line
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        understood(click.Context(command, parent=context, info_name=name), rest, line)
        return
    for _ in range(9):
        try:
            command.make_context(name, list(rest), parent=context)
        except click.BadParameter as error:
            missing = re.search(r"'([^']+)'(?: does not exist|: No such file)", error.message)
            assert missing, f"{line}: {error.message}"
            made = Path(missing[1])
            made.parent.mkdir(parents=True, exist_ok=True)
            if error.message.startswith("Directory"):
                made.mkdir()
            else:
                made.touch()
        except click.exceptions.Exit:
            return
        except (click.UsageError, HilError) as error:
            pytest.fail(f"{line}: {error}")
        else:
            return
