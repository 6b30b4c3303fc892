# SPDX-License-Identifier: MIT
"""Every source file names its licence in its first lines, https://spdx.dev/ids: which do not, or write it there.

    ci/spdx.py --check [FILE...]    names those that do not, and fails when there are any
    ci/spdx.py [FILE...]            writes the line where it is missing

Without files it is every file of the tree that git knows or would add.
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
"""How a comment is written, by the end of a file's name."""
NAMES = dict.fromkeys(("Makefile", ".clang-format", ".editorconfig", ".gitignore"), _HASH)


def form(path: Path) -> str | None:
    """How a comment is written in a file; None for what takes none, is no source, or is empty."""
    content = path.read_bytes()
    if not content.strip():
        return None
    return FORMS.get(path.suffix) or NAMES.get(path.name) or (_HASH if content.startswith(b"#!") else None)


@cache
def licence() -> str:
    """That of the project."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"])


def line(path: Path) -> str | None:
    """The line that belongs into a file, None for none."""
    written = form(path)
    return written and written.format(f"SPDX-License-Identifier: {licence()}")


def lacks(path: Path) -> bool:
    """Whether the line is missing. It is the first one, or the second behind a `#!`."""
    wanted = line(path)
    return wanted is not None and wanted not in path.read_text().split("\n")[:2]


def add(path: Path) -> None:
    """Write the line into a file that lacks it."""
    text = path.read_text()
    first, end, rest = text.partition("\n") if text.startswith("#!") else ("", "", text)
    path.write_text(f"{first}{end}{line(path)}\n{rest}")


def sources() -> Iterable[Path]:
    """What git knows of, and what it would add; what is deleted, but not committed so, is left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return (path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def main(arguments: list[str]) -> int:
    """1 when `--check` finds a file without the line, else 0."""
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
