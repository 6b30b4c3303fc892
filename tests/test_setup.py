# SPDX-License-Identifier: MIT
"""ci/setup says what it does, as long as it does it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SETUP = Path(__file__).parent.parent / "ci/setup"


def test_each_part_of_the_setup_says_what_it_is(tmp_path: Path) -> None:
    """Programs of the host are replaced by ones that go on until the line they wait for was printed."""
    (tmp_path / "ci").mkdir()
    shutil.copy(SETUP, tmp_path / "ci")
    (tmp_path / "ci/host-packages.txt").write_text("one\n")
    said, programs = tmp_path / "said", tmp_path / "programs"
    programs.mkdir()

    def until(line: str) -> str:
        return f'until grep -q "{line}" {said}; do :; done'

    python = f"#!/bin/sh\\n{until('still installing Python')}\\n"
    texts = {
        "dpkg": "echo amd64",
        "dpkg-query": "exit 1",
        "id": "echo 0",
        "env": "exit 0",
        "apt-get": until("still installing Debian's packages, since"),
        "sleep": f"exec {shutil.which('sleep')} 0.02",
        "python3": f"mkdir -p .venv/bin; printf '{python.replace(chr(39), '')}' >.venv/bin/python; "
        "chmod +x .venv/bin/python",
    }
    for name, text in texts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    with said.open("w") as output:
        subprocess.run(["sh", tmp_path / "ci/setup"], stdout=output, env=environment, check=True, timeout=60)
    lines = said.read_text().splitlines()
    first, second = "setup: installing Debian's packages: one", "setup: installing Python's packages into .venv"
    assert lines.index(first) == 0 < lines.index(second)
    assert not any("Debian" in line for line in lines[lines.index(second) :])
    assert (tmp_path / ".venv/ready").exists()
