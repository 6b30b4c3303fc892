# SPDX-License-Identifier: MIT
"""Builds a kernel of the catalogue from source into the cache."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hil import cache, directories
from hil.arch import Architecture
from hil.errors import UserError
from hil.kernels import catalogue, entry, importing, store
from hil.kernels.building import build_tree, options, recipe, tarball, toolchain
from hil.kernels.building.build_tree import BuildTree
from hil.kernels.building.job import Log
from hil.kernels.building.recipe import Recipe
from hil.kernels.building.toolchain import Toolchain
from hil.kernels.catalogue import Entry, Tarball
from hil.kernels.kernel import Kernel
from hil.kernels.progress import Listener, Silent


def requirements(known: Entry, arch: Architecture) -> tuple[Tarball, Recipe, Toolchain]:
    """The tarball, recipe and toolchain of a build; raises UserError when the kernel is not built from source,
    BenchError when the host lacks programs."""
    if not isinstance(known.source, Tarball):
        raise UserError(
            f"{known.name} comes as a package, it is not built from source",
            remedy=f"use `hil kernels fetch {known.name}`",
        )
    catalogue.check_exists(known.name, arch)
    instructions = recipe.load(known.name, arch)
    return known.source, instructions, toolchain.find(instructions, arch)


def build(
    known: Entry,
    arch: Architecture,
    *,
    own: Path | None = None,
    jobs: int | None = None,
    again: bool = False,
    progress: Listener | None = None,
) -> Kernel:
    """Build a kernel from the tarball of its entry into the cache, unless the cache has one that was built the same
    way.

    `own` is the user's copy of the tarball, which otherwise is downloaded; `jobs` compilers run at a time, one for each
    processor when None; `again` builds even when nothing has changed. The old kernel stays until the new one is ready.

    Raises UserError when there is nothing to build, an imported kernel is in its place, or `own` is another file;
    raises BenchError when the host lacks something, the download or the build fails.
    """
    progress = progress or Silent()
    source, instructions, tools = requirements(known, arch)
    made_from = _made_from(source, instructions)
    folder = store.location(known.name, arch)
    with cache.locked(folder, notify=progress.step):
        if _is_current(folder, known, arch, made_from) and not again:
            return entry.read(folder, arch)
        path = tarball.ensure(source, own, progress)
        if not tools.known:
            releases = ", ".join(map(str, instructions.gcc))
            progress.step(f"trying {tools.compiler}; GCC {releases} is known to work")
        log = Log(directories.state() / "builds" / f"{known.name}-{arch}.log")
        with closing(log), cache.replaced(folder) as new, build_tree.opened(folder) as bench:
            work = BuildTree(bench, instructions, tools, log, progress)
            parts = work.build(path, jobs or len(os.sched_getaffinity(0)))
            _, release, version, parts = importing.examine(parts, arch, release="")
            progress.step("copying into the cache")
            provenance = {
                "source": store.BUILT,
                **made_from,
                "compiler": tools.compiler,
                "commands": work.commands,
                "built": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            entry.write(new, known.name, arch, parts, release, version, provenance)
    return entry.read(folder, arch)


def _made_from(source: Tarball, instructions: Recipe) -> dict[str, Any]:
    """The part of the provenance that says what is built and how; when it is equal, so is the kernel."""
    fragment = options.fragment(instructions.options)
    return {
        "tarball": {"url": source.url, "sha256": source.sha256},
        "flags": {tool: " ".join(flags) for tool, flags in instructions.flags.items()},
        "fragment": {"base": instructions.defconfig, "sha256": hashlib.sha256(fragment.encode()).hexdigest()},
    }


def _is_current(folder: Path, known: Entry, arch: Architecture, made_from: dict[str, Any]) -> bool:
    """Whether the kernel in the cache was built the same way; raises UserError when it is one that a user imported."""
    if store.was_imported(folder):
        raise UserError(
            f"the kernel {known.name}/{arch} was imported",
            remedy=f"first `hil kernels remove {known.name} --arch {arch}`",
        )
    try:
        provenance = entry.read(folder, arch).provenance
    except cache.Damaged:
        return False
    return all(provenance.get(key) == value for key, value in made_from.items())
