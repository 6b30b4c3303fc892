# SPDX-License-Identifier: MIT
"""`hil kernels`: list, show, fetch, build, import and remove kernels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hil import cache, terminal
from hil.arch import Architecture, architecture, architectures
from hil.arguments import INPUT_FILE
from hil.errors import BenchError, HilError, UserError
from hil.help import Group
from hil.kernels import catalogue, distributions, entry, importing, store
from hil.kernels.building.command import build
from hil.kernels.catalogue import Debian
from hil.kernels.entry import Parts
from hil.kernels.parameters import chosen_architectures, chosen_or_every, complete_kernel
from hil.kernels.points import Point, points
from hil.kernels.progress import shown

_FILE = INPUT_FILE
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


@click.group(cls=Group)
def kernels() -> None:
    """List, show, fetch, build, import and remove the kernels that lanes run on.

    A name is one of the catalogue (debian-12, for its newest version), one with a version of Debian's archive
    (debian-12@6.1.170; list --all lists them), or that of a kernel of your own.
    """


kernels.add_command(build)


@kernels.command("list")
@click.argument("names", nargs=-1, shell_complete=complete_kernel)
@click.option("--all", "every", is_flag=True, help="List every version that Debian's archive has of them.")
@chosen_architectures
@_as_json
def list_(names: tuple[str, ...], every: bool, chosen: tuple[str, ...], as_json: bool) -> None:
    """List the kernels of the catalogue and of the cache, or those named.

    With --all, list each version of them that Debian's archive has today, with its suite, under the name that lanes use
    for it, such as debian-12@6.1.170. The name without a version stands for the newest. Wildcards in names of lanes
    match such kernels only after an @: 'debian-13@6.12.9*'.
    """
    if every:
        headings: tuple[str, ...] = ("name", "arch", "version", "suite", "state")
        rows = [_point_row(point) for point in _points(names, chosen)]
    else:
        headings = ("name", "arch", "era", "version", "state", "source")
        known = [*store.names(), *store.points()]
        for name in [name for name in names if name not in {name for name, _ in known}]:
            known += [(catalogue.entry(name).name, arch) for arch in chosen_or_every((), name)]
        wanted = [architecture(name) for name in chosen] or architectures().values()
        rows = [_row(*one) for one in known if one[1] in wanted and (not names or one[0] in names)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    terminal.print_table(terminal.console(), headings, [[row[heading] for heading in headings] for row in rows])


@kernels.command()
@click.argument("names", nargs=-1, shell_complete=complete_kernel)
@chosen_architectures
@click.option("--refresh", is_flag=True, help="Fetch the newest even when the cache has one.")
def fetch(names: tuple[str, ...], chosen: tuple[str, ...], refresh: bool) -> None:
    """Fetch kernels: those named, or all that can be fetched, for every architecture or those chosen.

    A name may have a version, debian-12@6.1.170; hil kernels list debian-12 --all lists the versions.
    """
    everything = [name for name, known in catalogue.entries().items() if isinstance(known.source, Debian)]
    lanes = [
        (name, arch)
        for name in names or everything
        for arch in chosen_or_every(chosen, name)
        if names or not arch.lacks(name)
    ]
    failures = []
    for name, arch in lanes:
        try:
            with shown(f"{name}/{arch}") as progress:
                get = store.fetch if refresh else store.get
                kernel = get(name, arch, notify=progress.step)
            click.echo(f"{kernel}: Linux {kernel.version} ({kernel.release}) in {kernel.folder}")
        except HilError as error:
            if len(lanes) == 1:
                raise
            failures.append(error)
            click.echo(f"hil: {error}", err=True)
    if failures:
        kind = UserError if all(isinstance(error, UserError) for error in failures) else BenchError
        raise kind(f"{len(failures)} of {len(lanes)} kernels could not be fetched", remedy="see above")


@kernels.command()
@click.argument("name", shell_complete=complete_kernel)
@chosen_architectures
@_as_json
def show(name: str, chosen: tuple[str, ...], as_json: bool) -> None:
    """Verify a kernel in the cache and show it: release, files, origin."""
    found = [kernel for arch in chosen_or_every(chosen, name) if (kernel := store.find(name, arch))]
    if not found:
        raise _not_cached(name)
    shown: list[dict[str, Any]] = [
        {"folder": str(kernel.folder), "era": kernel.era, **entry.metadata_of(kernel.folder)} for kernel in found
    ]
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    for kernel, metadata in zip(found, shown, strict=True):
        click.echo(f"{kernel}")
        for field in ("era", "version", "release", "folder", "files", "provenance"):
            _print(field, metadata[field], depth=1)


@kernels.command("import")
@click.argument("name", shell_complete=complete_kernel)
@click.option("--image", required=True, type=_FILE, help="bzImage, Image or Image.gz.")
@click.option("--config", required=True, type=_FILE, help="The .config it was built with.")
@click.option("--arch", help="Architecture, checked against the image.")
@click.option("--vmlinux", type=_FILE, help="The ELF file with symbols, for gdb.")
@click.option("--modules", type=_FOLDER, help="lib/modules/RELEASE, or the folder given to make as INSTALL_MOD_PATH.")
@click.option("--system-map", type=_FILE, help="System.map.")
@click.option("--release", default="", help="The output of uname -r, when neither image nor modules show it.")
@click.option("--as", "judged_as", default="", metavar="X.Y", help="The release to judge it by, if not its own.")
@click.option(
    "--distribution", metavar="NAME|FILE", help="The distribution, when image and configuration do not show it."
)
def import_(
    name: str,
    image: Path,
    config: Path,
    arch: str | None,
    vmlinux: Path | None,
    modules: Path | None,
    system_map: Path | None,
    release: str,
    judged_as: str,
    distribution: str | None,
) -> None:
    """Copy your own kernel into the cache as NAME.

    Under a name of the catalogue (linux-4.1) it is used for that lane; any other name makes new lanes. It is judged by
    the rules of its release, and of the distribution that its image and its configuration show. A distribution is
    vanilla, debian, or a file of your own (docs/distributions.md), which is kept with the kernel.
    """
    with shown(name) as progress:
        kernel = importing.add(
            name,
            Parts(image, config, modules, vmlinux, system_map),
            arch=architecture(arch) if arch else None,
            release=release,
            judged_as=judged_as,
            distribution=distributions.named(distribution) if distribution else None,
            notify=progress.step,
        )
    click.echo(f"{kernel}: Linux {kernel.version} ({kernel.release}) in {kernel.folder}")
    judged = kernel.provenance["judged"]
    click.echo(f"  judged by the rules of Linux {kernel.era}: {judged['release']}")
    click.echo(f"  as a kernel of {judged['whose']}: {judged['distribution']}")


@kernels.command()
@click.argument("name", shell_complete=complete_kernel)
@chosen_architectures
def remove(name: str, chosen: tuple[str, ...]) -> None:
    """Remove a kernel from the cache, for every architecture or those chosen."""
    removed = [arch for arch in chosen_or_every(chosen, name) if store.remove(name, arch)]
    if not removed:
        raise _not_cached(name)
    for arch in removed:
        click.echo(f"removed {name}/{arch}")


def _not_cached(name: str) -> UserError:
    return UserError(
        f"no kernel {name} is in the cache", remedy="see `hil kernels list`, then fetch, build or import it"
    )


def _row(name: str, arch: Architecture) -> dict[str, str]:
    """The row of `list` for one kernel; reads its metadata without verifying its files."""
    known = catalogue.find(name)
    row = {"name": name, "arch": arch.name, "era": known.era if known else "", "version": "", "release": ""}
    source = str(known.source) if known else ""
    try:
        metadata = entry.metadata_of(store.location(name, arch))
    except cache.Damaged as damage:
        if store.location(name, arch).exists():
            return {**row, "state": "damaged", "source": str(damage)}
        fetchable = known is not None and isinstance(known.source, Debian)
        return {**row, "state": "available" if fetchable else "not available: build or import it", "source": source}
    except cache.Unusable as error:
        return {**row, "state": "unreadable", "source": str(error)}
    imported = metadata["provenance"]["source"] == store.IMPORTED
    return {
        **row,
        "era": entry.era(name, metadata),
        "version": metadata["version"],
        "release": metadata["release"],
        "state": "cached",
        "source": store.IMPORTED if imported else source,
    }


def _points(names: tuple[str, ...], chosen: tuple[str, ...]) -> Iterator[Point]:
    """Yield the point releases of the kernels named, or of all that come from Debian's archive."""
    for name in names or [name for name, known in catalogue.entries().items() if isinstance(known.source, Debian)]:
        for arch in chosen_or_every(chosen, name):
            yield from points(catalogue.entry(name), arch, notify=lambda line: click.echo(line, err=True))


def _point_row(point: Point) -> dict[str, str]:
    held = store.cached_as(point)
    lacks = f"incomplete: no {', '.join(point.lacking)}" if point.lacking else "available"
    return {
        "name": point.name,
        "arch": point.arch.name,
        "version": point.image.version,
        "suite": ", ".join(point.suites),
        "state": ("cached" if held == point.name else f"cached as {held}") if held else lacks,
    }


def _print(field: str, value: Any, depth: int) -> None:
    """Print nested metadata as indented lines, one value a line."""
    margin = "  " * depth
    if isinstance(value, dict):
        click.echo(f"{margin}{field}:")
        for key, item in value.items():
            _print(key, item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _print(field, item, depth)
    else:
        click.echo(f"{margin}{field}: {value}")
