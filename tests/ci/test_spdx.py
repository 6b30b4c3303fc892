# SPDX-License-Identifier: MIT
"""Every source file names its licence, and what adds the line leaves the rest alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci import spdx

LINE = "SPDX-License-Identifier: MIT"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.py", '"""It."""\n', f'# {LINE}\n"""It."""\n'),
        ("a.toml", "# why\nkey = 1\n", f"# {LINE}\n# why\nkey = 1\n"),
        ("setup", "#!/bin/sh\nset -e\n", f"#!/bin/sh\n# {LINE}\nset -e\n"),
        ("Makefile", "all:\n", f"# {LINE}\nall:\n"),
        ("a.h", "#pragma once\n", f"/* {LINE} */\n#pragma once\n"),
        ("a.css", "p {}\n", f"/* {LINE} */\np {{}}\n"),
        ("a.js", "let x\n", f"// {LINE}\nlet x\n"),
        ("a.html.j2", "<p>\n", f"{{# {LINE} -#}}\n<p>\n"),
        (".clang-format", "X: 1\n", f"# {LINE}\nX: 1\n"),
    ],
)
def test_the_line_is_written_once_in_the_files_own_form(name: str, before: str, after: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(before)
    assert spdx.lacks(path)
    for _ in range(2):
        spdx.main([str(path)])
        assert path.read_text() == after
    assert not spdx.lacks(path)


@pytest.mark.parametrize(
    ("name", "content"), [("a.md", "text\n"), ("a.txt", "text\n"), ("__init__.py", ""), ("flags", "-O2\n")]
)
def test_what_is_no_source_needs_none(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    assert not spdx.lacks(tmp_path / name)


def test_a_line_further_down_is_not_enough(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f"import os\nimport sys\n# {LINE}\n")
    assert spdx.lacks(tmp_path / "a.py")


def test_every_source_of_the_tree_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert spdx.main(["--check"]) == 0, capsys.readouterr().err


def test_it_is_the_licence_of_the_file_of_that_name() -> None:
    assert LINE.endswith("MIT") and (spdx.ROOT / "LICENSE").read_text().startswith("MIT License\n")
