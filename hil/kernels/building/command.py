# SPDX-License-Identifier: MIT
"""`hil kernels build`."""

from __future__ import annotations

from pathlib import Path

import click

from hil.arguments import INPUT_FILE
from hil.kernels import catalogue
from hil.kernels.building import builder
from hil.kernels.parameters import chosen_architectures, chosen_or_every, complete_kernel
from hil.kernels.progress import shown


@click.command()
@click.argument("name", shell_complete=complete_kernel)
@chosen_architectures
@click.option(
    "--tarball",
    type=INPUT_FILE,
    help="Your copy of the sources, instead of a download; accepted only with the catalogue's sha256.",
)
@click.option(
    "--jobs", "-j", type=click.IntRange(min=1), help="Compilers at a time.  [default: one for each processor]"
)
@click.option("--again", is_flag=True, help="Build even when the kernel in the cache was built the same way.")
def build(name: str, chosen: tuple[str, ...], tarball: Path | None, jobs: int | None, again: bool) -> None:
    """Build the kernel NAME from its official sources.

    Downloads the tarball that the catalogue names, verifies its sha256, configures and compiles it with the host's GCC
    (for another architecture, the cross compiler), and puts image, vmlinux, modules and configuration into the cache.
    An interrupted download is resumed. linux-4.1 takes 2.5 GB of space while it is built, and about 8 minutes on two
    processors.

    \b
        hil kernels build linux-4.1 --arch x86_64
        hil kernels build linux-4.1 --tarball ~/linux-4.1.52.tar.xz
    """
    known = catalogue.entry(name)
    archs = chosen_or_every(chosen, name)
    for arch in archs:
        builder.requirements(known, arch)  # all of them now, not after the first has been built
    for arch in archs:
        with shown(f"{name}/{arch}") as progress:
            kernel = builder.build(known, arch, own=tarball, jobs=jobs, again=again, progress=progress)
        click.echo(f"{kernel}: Linux {kernel.version} ({kernel.release}) in {kernel.folder}")
