# SPDX-License-Identifier: MIT
"""Whether kernels are at hand, and whether new ones can be fetched."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from hil import cache
from hil.debian import mirror
from hil.doctor.finding import Finding, State, failed
from hil.errors import BenchError, HilError
from hil.kernels import catalogue, entry, store
from hil.kernels.catalogue import Debian

_HELPER = Path("/usr/lib/apt/apt-helper")
"""Fetches a file as apt does: with its proxies, its credentials and its mirror lists (apt-helper(1))."""
_PATIENCE = "10"
"""Seconds until apt gives up a connection."""


def at_hand() -> Finding:
    """The kernels in the cache, by their metadata; files are checked whenever a kernel is used."""
    found, broken = [], []
    for name, arch in store.cached():
        folder, kernel = store.location(name, arch), f"{name}/{arch}"
        try:
            metadata = entry.metadata_of(folder)
            missing = [part for part, file in metadata["files"].items() if not (folder / file).exists()]
        except (cache.Damaged, cache.Unusable) as trouble:
            broken.append((kernel, str(trouble)))
            continue
        if missing:
            broken.append((kernel, f"no {', '.join(missing)}"))
        else:
            found.append(kernel)
    if broken:
        first, _, of = broken[0][0].partition("/")
        what = "; ".join(f"{one}: {why}" for one, why in broken)
        return Finding("kernels", State.WARNING, what, f"hil kernels remove {first} --arch {of}")
    if not found:
        return Finding("kernels", State.WARNING, "none in the cache; the first run fetches them", _how_to_fetch())
    few = [one for one in found if catalogue.POINT not in one]
    points = f", and {len(found) - len(few)} by version" if len(few) < len(found) else ""
    return Finding("kernels", State.OK, f"{', '.join(few)}{points}")


def archive(
    find: Callable[[], mirror.Mirror] = mirror.find, fetch: Callable[[str, Path], str] | None = None
) -> Finding:
    """Whether Debian's archive can be reached. Kernels in the cache can be used without it."""
    state = State.WARNING if any(store.cached()) else State.ERROR
    try:
        uri = find().base
    except HilError as error:
        return failed("mirror", error, state)
    source = catalogue.entries()[catalogue.DEFAULT].source
    assert isinstance(source, Debian)
    shown = mirror.without_password(uri)
    with tempfile.TemporaryDirectory() as folder:
        try:
            trouble = (fetch or _fetch)(f"{uri}/dists/{source.suite}/InRelease", Path(folder) / "InRelease")
        except BenchError as error:
            return failed("mirror", error, state)
    if trouble:
        remedy = f"check the network and apt's proxy, or set {mirror.ENVIRONMENT} to a mirror that can be reached"
        return Finding("mirror", state, f"{shown} cannot be reached: {mirror.without_password(trouble)}", remedy)
    return Finding("mirror", State.OK, f"{shown} has {source.suite}, of {catalogue.DEFAULT}")


def _fetch(uri: str, target: Path) -> str:
    """Fetch a file; returns apt's reason when that fails."""
    options = [f"-oAcquire::{scheme}::Timeout={_PATIENCE}" for scheme in ("http", "https")]
    command = [str(_HELPER), *options, "-oAcquire::Retries=0", "download-file", uri, str(target)]
    try:
        done = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True)
    except OSError as error:
        raise BenchError(f"{_HELPER}: {error.strerror}", remedy="install the package apt") from error
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1] if done.returncode else ""


def _how_to_fetch() -> str:
    return f"hil kernels fetch {catalogue.DEFAULT}"
