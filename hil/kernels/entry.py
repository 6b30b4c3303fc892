# SPDX-License-Identifier: MIT
"""One entry of the cache: a folder with a kernel's files, and metadata.json with their description and hashes."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil import cache
from hil.arch import Architecture
from hil.digest import sha256
from hil.kernels import catalogue, distributions
from hil.kernels.distributions import Distribution
from hil.kernels.kernel import Kernel

METADATA = "metadata.json"

# Debian's System.map is one line that names the package with the real one.
_STUB = 4096

# Files that Debian has beside the modules and that are in the entry already, or not needed on QEMU's virtual boards.
_NOT_MODULES = frozenset({"vmlinuz", "config", "System.map", "dtb", "build", "source"})


@dataclass(frozen=True)
class Parts:
    """The paths of a kernel's files before they are copied; `modules` is the folder lib/modules/<release>."""

    image: Path
    config: Path
    modules: Path | None = None
    vmlinux: Path | None = None
    system_map: Path | None = None


def write(
    folder: Path, name: str, arch: Architecture, parts: Parts, release: str, version: str, provenance: Mapping[str, Any]
) -> None:
    """Fill an empty folder with copies of the parts and their metadata.

    `provenance` says where the parts came from; the hashes of image and configuration are added here.
    """
    files = {"image": "image", "config": "config"}
    shutil.copyfile(parts.image, folder / "image")
    shutil.copyfile(parts.config, folder / "config")
    if parts.system_map and parts.system_map.stat().st_size > _STUB:
        files["system_map"] = "System.map"
        shutil.copyfile(parts.system_map, folder / "System.map")
    if parts.vmlinux:
        files["vmlinux"] = "vmlinux"
        shutil.copyfile(parts.vmlinux, folder / "vmlinux")
    if parts.modules:
        files["modules"] = "modules"
        _copy_modules(parts.modules, folder / "modules/lib/modules" / release)
    metadata = {
        "name": name,
        "arch": arch.name,
        "release": release,
        "version": version,
        "files": files,
        "provenance": {**provenance, "sha256": {part: sha256(folder / part) for part in ("image", "config")}},
    }
    (folder / METADATA).write_text(json.dumps({**metadata, "digest": _digest(metadata)}, indent=2) + "\n")


def read(folder: Path, arch: Architecture, *, boots: bool = True) -> Kernel:
    """The kernel in `folder`, after its metadata, image and configuration were checked; raises Damaged when they differ
    from what was written, else as `cache.reading`. The other files, mainly modules, are checked once per
    process, and not at all where nothing `boots` that would use them.
    """
    metadata = metadata_of(folder)
    files = {part: folder / name for part, name in metadata["files"].items()}
    for part, expected in metadata["provenance"]["sha256"].items():
        with cache.reading(files[part]):
            actual = sha256(files[part])
        if actual != expected:
            raise cache.Damaged(f"{files[part]} is damaged: its sha256 is {actual}, not {expected}")
    for path in files.values():
        if not path.exists():
            raise cache.Damaged(f"{path} is missing")
    if boots:
        _check_once(folder, folder.stat().st_ino)
    name, version = metadata["name"], metadata["version"]
    return Kernel(
        name=name,
        arch=arch,
        folder=folder,
        image=files["image"],
        config=files["config"],
        modules=files.get("modules"),
        vmlinux=files.get("vmlinux"),
        system_map=files.get("system_map"),
        release=metadata["release"],
        version=version,
        era=era(name, metadata),
        distribution=distribution(metadata, folder),
        provenance=metadata["provenance"],
    )


@functools.cache
def _check_once(folder: Path, _: int) -> None:
    """Check the whole folder, which takes half a second for Debian's thousand modules. The second argument is the inode
    of the folder, so that an entry that was replaced is checked again."""
    cache.check(folder)


def era(name: str, metadata: Mapping[str, Any]) -> str:
    """The release whose rules a kernel is judged by: the user's choice, the catalogue's for this name, or its own."""
    known = catalogue.find(name)
    chosen = metadata["provenance"].get("as", known.era if known else "")
    return str(chosen) or catalogue.era_of(metadata["version"])


def distribution(metadata: Mapping[str, Any], folder: Path) -> Distribution | None:
    """The distribution that was recorded at the import; None when it is detected from the configuration."""
    recorded = metadata["provenance"].get("distribution")
    if isinstance(recorded, dict):
        return distributions.declared(recorded, str(folder / METADATA))
    return distributions.named(recorded) if recorded else None


def metadata_of(folder: Path) -> dict[str, Any]:
    """The metadata of the entry; raises Damaged when they are missing or changed, else as `cache.reading`."""
    path = folder / METADATA
    try:
        with cache.reading(path):
            metadata = json.loads(path.read_bytes())
        digest = metadata.pop("digest")
    except (ValueError, TypeError, AttributeError, KeyError):
        raise cache.Damaged(f"{path} is damaged") from None
    if digest != _digest(metadata):
        raise cache.Damaged(f"{path} is damaged: it does not have the digest it was written with")
    assert isinstance(metadata, dict)
    return metadata


def _digest(metadata: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


def _copy_modules(source: Path, target: Path) -> None:
    """Copy a tree; unlike shutil.copytree stop at the first error, so that its errno is kept."""
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.name in _NOT_MODULES:
            continue
        if path.is_dir():
            _copy_modules(path, target / path.name)
        else:
            shutil.copyfile(path, target / path.name)
