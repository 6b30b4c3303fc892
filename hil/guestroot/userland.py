# SPDX-License-Identifier: MIT
"""The programs of a guest and the libraries they need, from Debian's packages: one tree for each architecture.

The tree is made once and kept, so every kernel has the same userland until the recipe changes or the cache is cleared.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from hil import cache, directories
from hil.arch import Architecture
from hil.debian.apt import Apt, unpack
from hil.errors import BenchError
from hil.guestroot import cpio
from hil.guestroot.recipe import Recipe

_RECORD = "packages.json"
_ROOT = "root"


@dataclass(frozen=True)
class Userland:
    """A tree of regular files; `packages` has version and sha256 of each package that it was made from, by name."""

    root: Path
    packages: Mapping[str, Mapping[str, str]]

    def entries(self) -> dict[str, cpio.Entry]:
        """The files as executable entries of an archive, by path in the guest."""
        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        with cache.reading(self.root):
            return {str(path.relative_to(self.root)): cpio.regular(path.read_bytes(), 0o755) for path in files}


def userland(recipe: Recipe, arch: Architecture, *, notify: Callable[[str], None] = lambda _: None) -> Userland:
    """The userland of `arch`, made on first use; raises BenchError when its packages cannot be fetched or lack a
    file."""
    wanted = repr((arch.userland, recipe.packages, recipe.programs)).encode()
    name = f"{arch.userland}-{arch.debian}-{hashlib.sha256(wanted).hexdigest()[:12]}"
    folder = directories.cache() / "userland" / name
    cache.ensure(folder, lambda new: _make(recipe, arch, new, notify), notify=notify)
    with cache.reading(folder / _RECORD):
        return Userland(folder / _ROOT, json.loads((folder / _RECORD).read_text()))


def _make(recipe: Recipe, arch: Architecture, folder: Path, notify: Callable[[str], None]) -> None:
    apt = Apt(arch.userland, arch, notify=notify)
    record = {}
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=folder) as name:
        unpacked = Path(name)
        for package in (apt.resolve(wanted)[0] for wanted in recipe.packages):
            unpack(apt.download(package), unpacked)
            record[package.name] = {"version": package.version, "sha256": package.sha256}
        for program in recipe.programs:
            for source, target in closure(unpacked, _found(unpacked, program.source), program.target).items():
                destination = folder / _ROOT / target
                destination.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(unpacked / source, destination)
    (folder / _RECORD).write_text(json.dumps(record, indent=2) + "\n")


def _found(unpacked: Path, program: str) -> str:
    """The path of a program that the recipe has in /bin or /sbin: itself or, where that does not exist, below /usr."""
    return next((path for path in (program, f"usr/{program}") if (unpacked / path).exists()), program)


def closure(unpacked: Path, program: str, target: str) -> dict[str, str]:
    """`program` and all that it loads: a map from paths below `unpacked` to paths in the guest.

    A library goes to the folder of its package, under the name by which it is needed; the loader goes to the path in
    PT_INTERP. Libraries that are opened at run time by name (dlopen) are not found. Raises BenchError when one is
    missing.
    """
    libraries = _libraries(unpacked)
    copied = {program: target}
    loader, wanted = _needs(unpacked / program)
    if loader:
        copied[_find(libraries, Path(loader).name, program)] = loader.lstrip("/")
    pending = [(program, name) for name in wanted]
    while pending:
        user, name = pending.pop()
        found = _find(libraries, name, user)
        if found not in copied:
            copied[found] = found
            pending += [(found, needed) for needed in _needs(unpacked / found)[1]]
    return copied


def _libraries(unpacked: Path) -> dict[str, str]:
    """The path below `unpacked` of every shared library, including symbolic links, by name."""
    paths = (path for top in ("lib", "usr/lib") for path in sorted((unpacked / top).glob("*-linux-gnu*/*.so*")))
    return {path.name: str(path.relative_to(unpacked)) for path in paths if path.is_file()}


def _find(libraries: Mapping[str, str], name: str, user: str) -> str:
    try:
        return libraries[name]
    except KeyError:
        raise BenchError(
            f"{user} needs {name}, which is in no package of the guest's userland",
            remedy="add the package to images/guestroot.toml",
        ) from None


def _needs(path: Path) -> tuple[str, list[str]]:
    """The loader of a program ("" when it is static) and the names of the libraries that it is linked with."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        loaders = [segment.get_interp_name() for segment in elf.iter_segments() if isinstance(segment, InterpSegment)]
        dynamic = elf.get_section_by_name(".dynamic")
        tags = dynamic.iter_tags("DT_NEEDED") if isinstance(dynamic, DynamicSection) else ()
        return "".join(loaders), [getattr(tag, "needed") for tag in tags]  # noqa: B009 (set at run time, by the kind of tag)
