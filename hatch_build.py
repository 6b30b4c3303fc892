# SPDX-License-Identifier: MIT
"""A step of the wheel's build: the agent for every architecture, so that whoever installs the wheel needs no compiler.

An architecture whose compiler is missing here is left out; its agent is compiled where it is used.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    """Adds the agents to a wheel. One that only refers to a checkout gets none: there the sources change."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles them into a temporary folder, which `finalize` removes."""
        self._folder = tempfile.TemporaryDirectory(prefix="hil-agents-")
        if self.target_name != "wheel" or version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root))
        from hil.agent import compiling

        built = Path(self._folder.name)
        (built / compiling.SOURCES).write_text(f"{compiling.digest(root / 'guest')}\n")
        for name, row in tomllib.loads((root / "images/architectures.toml").read_text()).items():
            if compiler := shutil.which(row["gcc"]):
                binary = built / name / compiling.NAME
                binary.parent.mkdir()
                subprocess.run(compiling.command(compiler, binary, root / "guest", *compiling.LINK), check=True)
            else:
                self.app.display_warning(f"no agent for {name}: {row['gcc']} is not installed")
        build_data["force_include"][str(built)] = "hil/_resources/agents"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes the temporary folder."""
        self._folder.cleanup()
