# SPDX-License-Identifier: MIT
"""The folder that a kernel is built in: unpack, configure, check, compile, install the modules."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from hil import cache
from hil.errors import BenchError
from hil.kernels.building import job, options, toolchain
from hil.kernels.building.job import Log
from hil.kernels.building.recipe import Recipe
from hil.kernels.building.toolchain import Toolchain
from hil.kernels.entry import Parts
from hil.kernels.progress import Listener

# Paths that need no quoting in make, the shell and GCC's -fdebug-prefix-map.
_HARMLESS = re.compile(r"[\w/.,+@~-]+", re.ASCII)


@contextmanager
def opened(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`, whose lock the caller holds.

    Its name is always the same, because paths are part of what ccache compares. What a killed process left is removed.
    """
    tree = folder.with_name(f".{folder.name}.build")
    if not _HARMLESS.fullmatch(str(tree)):
        raise BenchError(
            f"a kernel cannot be built in {tree}: make takes no path with spaces or special characters",
            remedy="set XDG_CACHE_HOME to a folder without them",
        )
    with cache.writing(folder):
        cache.remove(tree)
        try:
            for part in ("tmp", "sources"):
                (tree / part).mkdir(parents=True)
            yield tree
        finally:
            cache.remove(tree)


@dataclass
class BuildTree:
    """Builds one kernel in `folder`; `commands` lists the commands that ran, in order, in the unpacked sources."""

    folder: Path
    recipe: Recipe
    tools: Toolchain
    log: Log
    progress: Listener
    commands: list[str] = field(default_factory=list)

    def build(self, tarball: Path, jobs: int) -> Parts:
        """Build the kernel from `tarball`; returns its parts, including the folder that the modules are installed
        below.

        Raises Failed when a command fails, Unusable when there is no space, BenchError when options are not as
        requested.
        """
        cache.ensure_room(self.folder, self.recipe.room)
        tree = self._unpack(tarball)
        tools = self.tools.at(tree)
        self._configure(tree, tools)
        self.progress.step(f"compiling, {jobs} jobs; log: {self.log.path}")
        self._run(tools.make(f"-j{jobs}", self.recipe.image.name, "modules"), tree)
        self.progress.step("installing modules")
        self._run(tools.make("modules_install", "INSTALL_MOD_PATH=../../installed"), tree)
        parts = Parts(
            image=tree / self.recipe.image,
            config=tree / ".config",
            modules=self.folder / "installed",
            vmlinux=tree / "vmlinux",
            system_map=tree / "System.map",
        )
        missing = [str(path.relative_to(self.folder)) for path in vars(parts).values() if not path.exists()]
        if missing:
            raise BenchError(
                f"the build succeeded without making {', '.join(missing)}",
                remedy=f"see the whole log, {self.log.path}",
                details=self.log.tail(),
            )
        return parts

    def _unpack(self, tarball: Path) -> Path:
        self.progress.step(f"unpacking {tarball.name}")
        self._run(
            ["tar", "--extract", "--no-same-owner", "--file", str(tarball), "--directory", "sources"], self.folder
        )
        folders = list((self.folder / "sources").iterdir())
        if len(folders) != 1:
            raise BenchError(f"{tarball} holds {len(folders)} folders instead of one with a kernel's sources")
        return folders[0]

    def _configure(self, tree: Path, tools: Toolchain) -> None:
        """Configure by defconfig and our options on top; raises BenchError unless each of them has the requested
        value."""
        self.progress.step("configuring")
        self._run(tools.make(self.recipe.defconfig), tree)
        config = tree / ".config"
        with config.open("a") as file:
            file.write(options.fragment(self.recipe.options))
        self._run(tools.make("olddefconfig"), tree)
        if complaints := options.complaints(config.read_text(), self.recipe.options, self.recipe.impossible):
            raise BenchError(
                f"{len(complaints)} options of the configuration do not have the requested value",
                remedy="adapt options.toml in images/kernels, where each says what it is for",
                details="\n".join(complaints),
            )

    def _run(self, argv: list[str], cwd: Path) -> None:
        lines = count(1)
        job.run(
            argv,
            cwd=cwd,
            environment=toolchain.environment(self.folder / "tmp"),
            log=self.log,
            step=lambda: self.progress.advance(next(lines)),
        )
        self.commands.append(shlex.join(argv))
