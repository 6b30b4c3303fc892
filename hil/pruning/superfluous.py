# SPDX-License-Identifier: MIT
"""What nobody needs any more, and its removal. Nothing that another process holds is touched.

Folders of the cache have a lock, which whoever fills them holds. Guest roots and run folders have none: a guest root is
read right after its time of last use was set, and a run keeps its log open.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hil import cache, directories
from hil.kernels import debug_symbols, store
from hil.pruning.kinds import entries, size

DAYS = 7.0
"""The days after which what was not used counts as old, unless the user says otherwise."""
_DAY = 86400.0
_STARTING = 3600.0
"""Seconds for which a guest root is left alone, whatever else is true: its machine may just be starting."""


@dataclass(frozen=True)
class Superfluous:
    """A file or folder to remove, its kind, the bytes it takes, and why nobody needs it. `lock` is the folder whose
    lock guards it; None where nothing has one."""

    kind: str
    path: Path
    size: int
    why: str
    lock: Path | None = None


@dataclass(frozen=True)
class Held:
    """What is not removed because another process uses it."""

    path: Path


Find = Callable[[float], Iterator[Superfluous]]


def superfluous(kinds: Mapping[str, Find], days: float) -> list[Superfluous]:
    """What of these kinds is not needed, where `days` without use make old."""
    return [one for find in kinds.values() for one in find(days)]


def remove(one: Superfluous) -> Held | None:
    """Removes it, harmless when another process did; Held when one uses it. Raises Unusable when the place cannot be
    written."""
    with contextlib.ExitStack() as stack:
        if one.lock is not None and not stack.enter_context(cache.locked_at_once(one.lock)):
            return Held(one.path)
        if _open(one.path):
            return Held(one.path)
        with cache.writing(one.path):
            if one.path.is_dir():
                cache.remove(one.path)
            else:
                one.path.unlink(missing_ok=True)
    return None


def _guest_roots(days: float) -> Iterator[Superfluous]:
    kernels = {f"{name}-{arch}" for name, arch in store.cached()}
    for parent in (directories.cache(), directories.state()):
        for path in entries(parent / "guestroots"):
            unused = _unused(path)
            kernel = path.name.rpartition("-")[0]
            if unused < _STARTING:
                continue
            if kernel not in kernels and not kernel.startswith("bare-"):
                yield Superfluous("guest roots", path, size(path), "its kernel is gone")
            elif unused > days * _DAY:
                yield Superfluous("guest roots", path, size(path), _for(unused))


def _states(days: float) -> Iterator[Superfluous]:
    yield from _without_kernel("states", "states")
    for path in entries(directories.cache() / "states"):
        if _unused(path) > days * _DAY and _has_kernel(path):
            yield Superfluous("states", path, size(path), _for(_unused(path)), path)


def _symbols(_: float) -> Iterator[Superfluous]:
    return _without_kernel("symbols", "symbols")


def _debug_symbols(days: float) -> Iterator[Superfluous]:
    """A newer image of the same name has made those of the older one useless."""
    yield from _without_kernel("debug symbols", debug_symbols.FOLDER)
    needed = set(debug_symbols.needed())
    for path in entries(directories.cache() / debug_symbols.FOLDER):
        unused = _unused(path)
        if not _has_kernel(path):
            continue
        if path.name not in needed:
            yield Superfluous("debug symbols", path, size(path), "its kernel was replaced", path)
        elif unused > days * _DAY:
            yield Superfluous("debug symbols", path, size(path), _for(unused), path)


def _without_kernel(kind: str, folder: str) -> Iterator[Superfluous]:
    for path in entries(directories.cache() / folder):
        if not _has_kernel(path):
            yield Superfluous(kind, path, size(path), "its kernel is gone", path)


def _has_kernel(path: Path) -> bool:
    """Whether the kernel of an entry KERNEL-ARCHITECTURE-KEY is in the cache, or may be in a moment: another process
    works on it."""
    name, arch = path.name.rsplit("-", 2)[:2] if path.name.count("-") > 1 else ("", "")
    kernel = store.root() / name / arch
    return kernel.is_dir() or cache.held(kernel)


def _packages(days: float) -> Iterator[Superfluous]:
    """Packages are needed only until what is made of them is there."""
    for suite in entries(directories.cache() / "debian"):
        for path in entries(suite / "packages"):
            yield Superfluous("packages", path, size(path), "unpacked", suite)
    for path in entries(directories.cache() / "objects"):
        if _unused(path) > days * _DAY:
            yield Superfluous("packages", path, size(path), _for(_unused(path)))


def _runs(days: float) -> Iterator[Superfluous]:
    for folder in ("runs", "debug"):
        parent = directories.state() / folder
        latest = (parent / "latest").resolve()
        for path in entries(parent):
            unused = _unused(path)
            if unused > days * _DAY and path.resolve() != latest:
                unfinished = ", an unfinished campaign" if _unfinished(path) else ""
                yield Superfluous("runs", path, size(path), f"{unused / _DAY:.0f} days old{unfinished}")


def _unfinished(run: Path) -> bool:
    """Whether a run folder is of a campaign that `hil fuzz --resume` could go on with: its results come last."""
    return (run / "campaign.json").exists() and not (run / "results.json").exists()


def _left_overs(_: float) -> Iterator[Superfluous]:
    """Folders that a process which was killed was filling."""
    for path, folder in cache.left_overs(directories.cache()):
        yield Superfluous("left-overs", path, size(path), "half made", folder)


KINDS: Mapping[str, Find] = {
    "guest-roots": _guest_roots,
    "states": _states,
    "symbols": _symbols,
    "debug-symbols": _debug_symbols,
    "packages": _packages,
    "runs": _runs,
    "left-overs": _left_overs,
}
"""What can be pruned, by the names that a user gives."""


def _unused(path: Path) -> float:
    """Seconds since the last change of anything in a file or folder, or of its times: what is unpacked from packages
    has those of the package as its own. 0 when another process removed it."""
    try:
        return time.time() - max(one.lstat().st_ctime for one in (path, *path.rglob("*")))
    except FileNotFoundError:
        return 0.0


def _for(seconds: float) -> str:
    return f"not used for {seconds / _DAY:.0f} days"


def _open(path: Path) -> bool:
    """Whether a process has the file, or one below the folder, open, or works in it, as far as /proc shows that to
    us."""
    wanted = path.resolve()
    for link in (*Path("/proc").glob("[0-9]*/fd/*"), *Path("/proc").glob("[0-9]*/cwd")):
        with contextlib.suppress(OSError):
            if link.readlink().is_relative_to(wanted):
                return True
    return False
