# SPDX-License-Identifier: MIT
"""The cache of kernels, with a folder for each kernel and architecture. Several processes may use it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from hil import cache, directories
from hil.arch import Architecture, architectures, architectures_with
from hil.errors import BenchError, UserError
from hil.kernels import catalogue, configuration, debian, distributions, entry
from hil.kernels.catalogue import Debian, Entry
from hil.kernels.distributions import Distribution
from hil.kernels.kernel import Kernel, version_code
from hil.kernels.points import Point

_log = logging.getLogger(__name__)

Notify = Callable[[str], None]

# A name is a folder of the cache and the first part of a lane's name.
_NAME = re.compile(rf"[a-z0-9][a-z0-9._+-]*({catalogue.POINT}[a-z0-9.+~-]*)?")

IMPORTED = "imported"
"""The `source` in the provenance of a kernel that a user imported; it cannot be fetched again."""

BUILT = "built"
"""The `source` in the provenance of a kernel built by `hil.kernels.building`."""


def root() -> Path:
    return directories.cache() / "kernels"


def location(name: str, arch: Architecture) -> Path:
    """The folder of an entry, which need not exist; raises UserError when `name` is not valid for a kernel."""
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is not a valid name of a kernel", remedy="use a to z, 0 to 9 and . _ + -")
    return root() / name / arch.name


def get(name: str, arch: Architecture, *, boots: bool = True, notify: Notify = lambda _: None) -> Kernel:
    """The verified kernel, which is fetched first when it is not in the cache or damaged; `notify` gets the progress.
    Its modules are verified only for a caller that `boots` it.

    Raises UserError when there is no such kernel; raises BenchError when it cannot be fetched or written, or is an
    imported one that is damaged.
    """
    try:
        return _read(name, arch, boots)
    except (_Absent, cache.Damaged):
        pass  # checked again under the lock, where no other process is replacing it
    folder = location(name, arch)
    if not _present(folder):
        _fetchable(name, arch)
    with cache.locked(folder, notify=notify):
        try:
            return _read(name, arch, boots)
        except _Absent:
            pass
        except cache.Damaged as damage:
            if was_imported(folder) or not _can_fetch(name):
                raise _damaged(name, arch, damage) from None
            _log.warning("%s", damage)
            notify(f"{damage}; fetching it again")
            with cache.writing(folder):
                cache.remove(folder)
        return _fetch(name, arch, notify)


def fetch(name: str, arch: Architecture, *, notify: Notify = lambda _: None) -> Kernel:
    """Fetch the newest version and replace the one in the cache; errors as for `get`.

    Raises UserError for an imported kernel, which is not replaced.
    """
    folder = location(name, arch)
    if not _present(folder):
        _fetchable(name, arch)
    with cache.locked(folder, notify=notify):
        if was_imported(folder):
            raise UserError(
                f"the kernel {name}/{arch} was imported", remedy=f"first `hil kernels remove {name} --arch {arch}`"
            )
        return _fetch(name, arch, notify)


def find(name: str, arch: Architecture) -> Kernel | None:
    """The verified kernel; None when it is not in the cache, BenchError when it is damaged."""
    try:
        return _read(name, arch)
    except _Absent:
        return None
    except cache.Damaged as damage:
        raise _damaged(name, arch, damage) from None


def era(name: str, arch: Architecture) -> str:
    """The era of a kernel that `names` or `points` yields, without reading its image."""
    if known := catalogue.find(name):
        return known.era
    try:
        return entry.era(name, entry.metadata_of(location(name, arch)))
    except cache.Damaged as damage:
        raise _damaged(name, arch, damage) from None


def distribution(name: str, arch: Architecture) -> Distribution | None:
    """The distribution of a kernel that `names` yields, without reading its image; None when it is not in the cache, or
    when it cannot be read there and is none of the user's own: whoever boots it fetches it again, or says why not."""
    folder = location(name, arch)
    if not _present(folder):
        return None
    try:
        metadata = entry.metadata_of(folder)
        options = configuration.options_of(folder / metadata["files"]["config"])
    except (cache.Damaged, cache.Unusable) as trouble:
        if _can_fetch(name):
            return None
        raise _damaged(name, arch, trouble) if isinstance(trouble, cache.Damaged) else trouble from None
    declared = entry.distribution(metadata, folder)
    return distributions.of_kernel(declared, options, declared=True) if declared else distributions.detect(options)[0]


def version(name: str, arch: Architecture) -> str:
    """The version of a kernel that `names` or `points` yields, without reading its image: the full version where the
    name has it or the kernel is not in the catalogue, else MAJOR.MINOR."""
    if known := catalogue.find(name):
        return known.version.partition("-")[0] or known.era
    try:
        return str(entry.metadata_of(location(name, arch))["version"])
    except cache.Damaged as damage:
        raise _damaged(name, arch, damage) from None


def cached_version_code(name: str, arch: Architecture) -> int | None:
    """The LINUX_VERSION_CODE of a cached kernel, without reading its image, or of the point release that `name` is;
    None for a kernel that must be fetched first, or cannot be read, whose version is not known yet."""
    if _present(folder := location(name, arch)):
        with suppress(cache.Damaged, cache.Unusable):
            return version_code(entry.metadata_of(folder)["version"])
    known = catalogue.find(name)
    return version_code(known.version.partition("-")[0]) if known and known.version else None


def remove(name: str, arch: Architecture) -> bool:
    """Remove the entry; returns False when there is none."""
    folder = location(name, arch)
    if not _present(folder):
        return False
    with cache.locked(folder), cache.writing(folder):
        cache.remove_with_lock(folder)
    return True


def names() -> Iterator[tuple[str, Architecture]]:
    """Yield every kernel of the catalogue for each of its architectures, then imported kernels under other names."""
    for name in catalogue.entries():
        for arch in architectures_with(name):
            yield name, arch
    for name, arch in cached():
        if name not in catalogue.entries() and catalogue.POINT not in name:
            yield name, arch


def points() -> Iterator[tuple[str, Architecture]]:
    """Yield the point releases in the cache."""
    return ((name, arch) for name, arch in cached() if catalogue.POINT in name)


def cached_as(point: Point) -> str:
    """The name of the cached kernel that was made from the point release's package: its own, or that of the kernel in
    the catalogue; empty when there is none."""
    return next((name for name in (point.name, point.kernel) if _made_of(name, point)), "")


def _made_of(name: str, point: Point) -> bool:
    try:
        packages = entry.metadata_of(location(name, point.arch))["provenance"].get("packages")
    except cache.Damaged:
        return False
    return bool(packages) and packages[0]["sha256"] == point.image.sha256


def cached() -> Iterator[tuple[str, Architecture]]:
    """Yield every kernel in the cache, without reading it."""
    for folder in sorted(root().glob("*/*")):
        if folder.name in architectures():
            yield folder.parent.name, architectures()[folder.name]


def was_imported(folder: Path) -> bool:
    """Whether the entry in `folder` was imported by a user, so that it must not be replaced; False when it is
    damaged."""
    try:
        return bool(entry.metadata_of(folder)["provenance"]["source"] == IMPORTED)
    except cache.Damaged:
        return False


class NotCached(UserError):
    """The kernel is not in the cache and cannot be fetched; it has to be built or imported."""


def _damaged(name: str, arch: Architecture, damage: cache.Damaged) -> BenchError:
    """The error for a damaged kernel that cannot be, or is not to be, fetched again."""
    if catalogue.find(name) is None or was_imported(location(name, arch)):
        again = "import"
    else:
        again = "fetch" if _can_fetch(name) else "build"
    return BenchError(
        f"the kernel {name}/{arch} is damaged: {damage}",
        remedy=f"remove it with `hil kernels remove {name} --arch {arch}` and {again} it again",
    )


class _Absent(Exception):
    """The entry does not exist."""


def _read(name: str, arch: Architecture, boots: bool = True) -> Kernel:
    folder = location(name, arch)
    if not _present(folder):
        _log.debug("%s/%s is not in the cache", name, arch)
        raise _Absent
    _log.debug("taking %s/%s from %s", name, arch, folder)
    return entry.read(folder, arch, boots=boots)


def _present(folder: Path) -> bool:
    with cache.writing(folder):
        return folder.is_dir()


def _can_fetch(name: str) -> bool:
    known = catalogue.find(name)
    return known is not None and isinstance(known.source, Debian)


def _fetchable(name: str, arch: Architecture) -> tuple[Entry, Debian]:
    """The entry of the catalogue and its source in Debian's archive; raises NotCached when it has none, UserError when
    there is no such kernel for the architecture."""
    catalogue.check_exists(name, arch)
    known = catalogue.entry(name)
    if isinstance(known.source, Debian):
        return known, known.source
    raise NotCached(
        f"the kernel {name}/{arch} is not in the cache and cannot be fetched: the catalogue names its sources only",
        remedy=f"build it with `hil kernels build {name} --arch {arch}`, or import one: {_how_to_import(name)}",
    )


def _fetch(name: str, arch: Architecture, notify: Notify) -> Kernel:
    """Fill the entry from the source that the catalogue names. Needs the lock."""
    known, source = _fetchable(name, arch)
    folder = location(name, arch)
    _log.info("fetching %s/%s from Debian's %s", name, arch, source.suite)
    try:
        with cache.replaced(folder) as new:
            debian.fill(new, known, source, arch, notify)
    except cache.Unusable:
        raise
    except BenchError as error:
        otherwise = "" if known.version else f"; or import one: {_how_to_import(name)}"
        raise BenchError(
            f"the kernel {name}/{arch} is not in the cache and cannot be fetched: {error.what}",
            remedy=f"{error.remedy}{otherwise}",
            details=error.details,
        ) from error
    return entry.read(folder, arch)


def _how_to_import(name: str) -> str:
    return f"`hil kernels import {name} --image ... --config ...`"
