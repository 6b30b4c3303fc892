# SPDX-License-Identifier: MIT
"""Checks that every source file names its licence in its first lines (https://spdx.dev/ids), or adds that line.

    ci/spdx.py --check [FILE...]    names the files without it, and fails when there are any
    ci/spdx.py [FILE...]            adds the line where it is missing

Without arguments it works on every file that git tracks or would add.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_HASH, _BLOCK = "# {}", "/* {} */"
FORMS = {
    **dict.fromkeys((".py", ".toml", ".yml", ".yaml", ".sh"), _HASH),
    **dict.fromkeys((".c", ".h", ".css"), _BLOCK),
    ".js": "// {}",
    ".j2": "{{# {} -#}}",  # the dash leaves no empty line in what is rendered
}
"""The form of a comment by the suffix of a file's name."""
NAMES = dict.fromkeys(("Makefile", ".clang-format", ".editorconfig", ".gitignore"), _HASH)


def form(path: Path) -> str | None:
    """The form of a comment in a file; None for a file without comments, not a source, or empty."""
    content = path.read_bytes()
    if not content.strip():
        return None
    return FORMS.get(path.suffix) or NAMES.get(path.name) or (_HASH if content.startswith(b"#!") else None)


@cache
def licence() -> str:
    """The licence of the project, as an SPDX identifier."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"])


def line(path: Path) -> str | None:
    """The line that a file must have; None when it needs none."""
    written = form(path)
    return written and written.format(f"SPDX-License-Identifier: {licence()}")


def lacks(path: Path) -> bool:
    """Whether a file lacks the line, which is its first one, or the second after a `#!`."""
    wanted = line(path)
    return wanted is not None and wanted not in path.read_text().split("\n")[:2]


def add(path: Path) -> None:
    """Add the line to a file that lacks it."""
    text = path.read_text()
    first, end, rest = text.partition("\n") if text.startswith("#!") else ("", "", text)
    path.write_text(f"{first}{end}{line(path)}\n{rest}")


def sources() -> Iterable[Path]:
    """Yield the files that git tracks or would add, without those that are deleted in the working tree."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return (path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def main(arguments: list[str]) -> int:
    """Run the program; returns 1 when `--check` finds a file without the line, else 0."""
    check = "--check" in arguments
    named = [Path(word).resolve() for word in arguments if word != "--check"]
    lacking = [path for path in named or sources() if lacks(path)]
    for path in lacking:
        if check:
            print(
                f"{path.relative_to(ROOT)} does not begin with {line(path)!r}; `make format` adds it", file=sys.stderr
            )
        else:
            add(path)
    return int(check and bool(lacking))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
