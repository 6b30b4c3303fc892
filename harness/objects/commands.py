# SPDX-License-Identifier: MIT
"""`hil object`: what is in an object file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from harness.counting import counted
from harness.objects.adjusting import to_kernel
from harness.objects.describing import (
    MAP_HEADINGS,
    PROGRAM_HEADINGS,
    map_rows,
    program_rows,
    refusal_json,
    refused,
    to_json,
)
from harness.objects.files import objects_of
from harness.objects.kernel_types import from_file
from harness.objects.object_file import RUNNING_KERNEL, ObjectFile
from harness.objects.reasons import Refusal, Refused
from harness.objects.twins import twins
from hil.arguments import INPUT_FILE
from hil.printable import printable
from hil.terminal import console, print_table


@click.command("object")
@click.argument("files", nargs=-1, required=True, type=INPUT_FILE)
@click.option(
    "--types",
    "kernel",
    type=INPUT_FILE,
    help="A kernel's image, vmlinux or /sys/kernel/btf/vmlinux: adjust the programs to its types (CO-RE).",
)
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def object_(files: tuple[Path, ...], kernel: Path | None, as_json: bool) -> int:
    """List programs and maps of BPF object files: what each is, what it wants of a kernel, and what cannot be loaded.

    FILE may be a program that holds objects, as those do that are built with libbpf's skeletons or in Go: each is
    listed with the byte it begins at. Exit status: 0 all understood, 1 something in one is refused, 2 a
    file is damaged, or holds none.
    """
    types = None if kernel is None else from_file(kernel)
    status = 0
    told: list[dict[str, object]] = []
    for file in files:
        for name, found in objects_of(file):
            if isinstance(found, Refused):
                status = max(status, found.exit_status)
                told.append({"file": name, "refused": found.refusal.reason.word, "what": found.what})
                if not as_json:
                    click.echo(f"{printable(name)}: {printable(str(found))}\n")
                continue
            missing: tuple[Refusal, ...] = ()
            if types is not None:
                found, missing = to_kernel(found, types)
            status = max(status, 1 if refused(found) else 0)
            told.append({"file": name, **to_json(found), "missing": [refusal_json(one) for one in missing]})
            if not as_json:
                _print(name, found, missing)
    if as_json:
        click.echo(json.dumps(told, indent=2))
    return status


def _print(name: str, file: ObjectFile, missing: Iterable[Refusal]) -> None:
    on = console()
    version = {None: "no version", RUNNING_KERNEL: "version of the running kernel"}.get(
        file.version, f"version {file.version:#x}" if file.version is not None else ""
    )
    heads = (f"{file.byte_order}-endian", f"license {file.license or 'not told'}", version)
    counts = f"{counted(len(file.programs), 'program')}, {counted(len(file.maps), 'map')}"
    click.echo(printable(f"{name}: {', '.join(heads)}, {counts}"))
    if file.programs:
        print_table(on, PROGRAM_HEADINGS, program_rows(file), right={"instructions"})
    if file.maps:
        print_table(on, MAP_HEADINGS, map_rows(file), right={"entries"})
    for extern in file.externs:
        kind = "function" if extern.function else extern.type
        click.echo(printable(f"of the kernel: {extern.name} ({kind}{', may be missing' if extern.weak else ''})"))
    for group in twins(file.programs):
        click.echo(printable(f"twins, of which one is loaded: {', '.join(program.name for program in group)}"))
    for refusal in missing:
        click.echo(printable(f"missing: {refusal}"))
    for refusal in refused(file):
        click.echo(printable(f"refused: {refusal}: {refusal.reason.value}"))
    click.echo()
