"""`hil kernels`: see, fetch, build, import and remove kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hil import cache, terminal
from hil.arch import Architecture, architecture
from hil.errors import BenchError, HilError, UserError
from hil.kernels import catalogue, entry, importing, store
from hil.kernels.building.command import build
from hil.kernels.catalogue import Debian
from hil.kernels.entry import Parts
from hil.kernels.parameters import chosen_architectures, chosen_or_every
from hil.kernels.progress import shown

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


@click.group()
def kernels() -> None:
    """See, fetch, build, import and remove the kernels that lanes run on."""


kernels.add_command(build)


@kernels.command("list")
@_as_json
def list_(as_json: bool) -> None:
    """List the catalogue's kernels and those at hand."""
    rows = [_row(name, arch) for name, arch in store.names()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    headings = ("name", "arch", "era", "version", "state", "source")
    terminal.print_table(terminal.console(), headings, [[row[heading] for heading in headings] for row in rows])


@kernels.command()
@click.argument("names", nargs=-1)
@chosen_architectures
@click.option("--refresh", is_flag=True, help="Fetch the newest even when there is one at hand.")
def fetch(names: tuple[str, ...], chosen: tuple[str, ...], refresh: bool) -> None:
    """Fetch kernels: those named, or all the catalogue can fetch, for every architecture or those chosen."""
    everything = [name for name, known in catalogue.entries().items() if isinstance(known.source, Debian)]
    lanes = [
        (name, arch)
        for name in names or everything
        for arch in chosen_or_every(chosen, name)
        if names or name not in arch.without
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
@click.option("--distribution", type=click.Choice(importing.DISTRIBUTIONS), help="If its configuration does not tell.")
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
    the rules of its release, and of the distribution that its configuration shows.
    """
    with shown(name) as progress:
        kernel = importing.add(
            name,
            Parts(image, config, modules, vmlinux, system_map),
            arch=architecture(arch) if arch else None,
            release=release,
            judged_as=judged_as,
            distribution=distribution or "",
            notify=progress.step,
        )
    whose = f" as {distribution}'s" if distribution else ""
    judged = f"judged by the rules of {kernel.era}{whose}"
    click.echo(f"{kernel}: Linux {kernel.version} ({kernel.release}), {judged}, in {kernel.folder}")


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
    known = catalogue.entries().get(name)
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
