# SPDX-License-Identifier: MIT
"""`hil kernels`: see, fetch, build, import and remove kernels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hil import cache, terminal
from hil.arch import Architecture, architecture, architectures
from hil.errors import BenchError, HilError, UserError
from hil.kernels import catalogue, distributions, entry, importing, store
from hil.kernels.building.command import build
from hil.kernels.catalogue import Debian
from hil.kernels.entry import Parts
from hil.kernels.parameters import chosen_architectures, chosen_or_every
from hil.kernels.points import Point, points
from hil.kernels.progress import shown

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


@click.group()
def kernels() -> None:
    """See, fetch, build, import and remove the kernels that lanes run on.

    A name is one of the catalogue (debian-12, the newest there is), one of those with a version of Debian's archive
    (debian-12@6.1.170; list --all has them), or that of a kernel of your own.
    """


kernels.add_command(build)


@kernels.command("list")
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every version that Debian's archive has of them.")
@chosen_architectures
@_as_json
def list_(names: tuple[str, ...], every: bool, chosen: tuple[str, ...], as_json: bool) -> None:
    """List the catalogue's kernels and those at hand, or those named.

    With --all: each version of them that Debian's archive has today, by the name that lanes give it, as
    debian-12@6.1.170, with the suite that has it. Such a kernel is one of its own, beside the newest, which the name
    without a version stands for; wildcards take them only where they are asked for: 'debian-13@6.12.9*'.
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
@click.argument("names", nargs=-1)
@chosen_architectures
@click.option("--refresh", is_flag=True, help="Fetch the newest even when there is one at hand.")
def fetch(names: tuple[str, ...], chosen: tuple[str, ...], refresh: bool) -> None:
    """Fetch kernels: those named, or all the catalogue can fetch, for every architecture or those chosen.

    A name may have a version, debian-12@6.1.170: hil kernels list debian-12 --all has those there are.
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
@click.argument("name")
@chosen_architectures
@_as_json
def show(name: str, chosen: tuple[str, ...], as_json: bool) -> None:
    """Show a kernel at hand, after verifying it: release, files, where it came from."""
    found = [kernel for arch in chosen_or_every(chosen, name) if (kernel := store.find(name, arch))]
    if not found:
        raise _not_at_hand(name)
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
@click.argument("name")
@click.option("--image", required=True, type=_FILE, help="bzImage, Image or Image.gz.")
@click.option("--config", required=True, type=_FILE, help="The .config it was built with.")
@click.option("--arch", help="Architecture, checked against the image.")
@click.option("--vmlinux", type=_FILE, help="The ELF file with symbols, for gdb.")
@click.option("--modules", type=_FOLDER, help="lib/modules/RELEASE, or what INSTALL_MOD_PATH was.")
@click.option("--system-map", type=_FILE, help="System.map.")
@click.option("--release", default="", help="What uname -r prints, when neither image nor modules tell.")
@click.option("--as", "judged_as", default="", metavar="X.Y", help="The release to judge it by, if not its own.")
@click.option("--distribution", metavar="NAME|FILE", help="Whose it is, if image and configuration do not tell.")
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

    Under a name of the catalogue (linux-4.1) it runs that lane; any other name makes lanes of its own. It is judged by
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
    click.echo(f"  as one of {judged['whose']}: {judged['distribution']}")


@kernels.command()
@click.argument("name")
@chosen_architectures
def remove(name: str, chosen: tuple[str, ...]) -> None:
    """Remove a kernel from the cache, for every architecture or those chosen."""
    removed = [arch for arch in chosen_or_every(chosen, name) if store.remove(name, arch)]
    if not removed:
        raise _not_at_hand(name)
    for arch in removed:
        click.echo(f"removed {name}/{arch}")


def _not_at_hand(name: str) -> UserError:
    return UserError(f"no kernel {name} is at hand", remedy="see `hil kernels list`, then fetch, build or import it")


def _row(name: str, arch: Architecture) -> dict[str, str]:
    """What `list` says of one kernel; its metadata are read, its files are not verified."""
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
    except cache.Unusable as trouble:
        return {**row, "state": "unreadable", "source": str(trouble)}
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
    """The point releases of the kernels named, or of all that Debian's archive has."""
    for name in names or [name for name, known in catalogue.entries().items() if isinstance(known.source, Debian)]:
        for arch in chosen_or_every(chosen, name):
            yield from points(catalogue.entry(name), arch, notify=lambda line: click.echo(line, err=True))


def _point_row(point: Point) -> dict[str, str]:
    held = store.held_as(point)
    lacks = f"incomplete: no {', '.join(point.lacking)}" if point.lacking else "available"
    return {
        "name": point.name,
        "arch": point.arch.name,
        "version": point.image.version,
        "suite": ", ".join(point.suites),
        "state": ("cached" if held == point.name else f"cached as {held}") if held else lacks,
    }


def _print(field: str, value: Any, depth: int) -> None:
    """Nested metadata as indented lines, one value a line."""
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
