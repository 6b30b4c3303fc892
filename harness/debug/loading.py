# SPDX-License-Identifier: MIT
"""The script of gdb's that loads the commands of `harness.debug.inside`."""

from __future__ import annotations

from pathlib import Path

import harness

_SCRIPT = """\
python
import sys
sys.path.append({root!r})
from harness.debug.inside.begin import begin
begin({data!r})
end
"""


def write_loader(folder: Path, data: Path) -> Path:
    """Writes the script into a folder, and returns it; gdb must be connected before it runs the script."""
    file = folder / "bpf.gdb"
    root = Path(harness.__file__).resolve().parents[1]
    file.write_text(_SCRIPT.format(root=str(root), data=str(data.resolve())), encoding="utf-8")
    return file
