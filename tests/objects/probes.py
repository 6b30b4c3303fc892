# SPDX-License-Identifier: MIT
"""`python -m tests.objects.probes`: every kprobe program of Debian's objects, tried on lanes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from harness.check.looking import Inspection
from harness.check.trying import NamedObject, Trial, trials
from harness.jobs.start import carry_out
from harness.lane import listed, select
from harness.objects.kernel_facts import KernelFacts
from harness.objects.object_file import ObjectProgram
from harness.objects.reader import read
from harness.objects.reasons import Refused
from harness.report.programs import lines
from harness.run.checked import Answer, Checked
from harness.run.choice import known_lanes
from harness.run.plan import shares
from harness.script.needs import CPUS
from hil.arch import architecture
from hil.kernels import store
from tests.objects.collect import contents, digest
from tests.objects.fetch import fetch
from tests.objects.packages import WANTED

LANES = "debian-11/*/jit,debian-12/*/jit,debian-13/*/jit,debian-sid/*/jit"
_DEBIAN = {"x86_64": "amd64", "arm64": "arm64", "riscv64": "riscv64"}
"""What Debian calls architectures: objects read registers of the one they were compiled for."""
MECHANISMS = frozenset({"kprobe", "kretprobe", "ksyscall", "kretsyscall"})


@click.command()
@click.option("--lanes", default=LANES, show_default=True, help="KERNEL/ARCH/ENGINE patterns, by commas.")
@click.option("--packages", default="", help="Only packages with this in their name.")
@click.option("--jobs", type=click.IntRange(1), help="Machines at once; by default one for each CPU.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Where the run folder is made.")
@click.option("--record", type=click.Path(path_type=Path, dir_okay=False), help="A file for what was found, as JSON.")
def probes(lanes: str, packages: str, jobs: int | None, output: Path | None, record: Path | None) -> int:
    """Try every kprobe program of Debian's packages on lanes. Exit status: 1 when a kernel contradicts the model."""
    console = Console(markup=False, highlight=False, width=140)
    objects = tuple(_objects(console, packages))
    wanted = listed(lanes)
    chosen = select(wanted, known_lanes(wanted))
    tried: dict[tuple[str, str], tuple[Trial, ...]] = {}
    for lane in chosen:
        place = lane.kernel, lane.arch
        if place not in tried:
            fitting = [one for one in objects if one.name.partition("/")[0].split()[-1] in (_DEBIAN[lane.arch], "all")]
            facts = KernelFacts.of(store.get(lane.kernel, architecture(lane.arch), notify=console.print), CPUS)
            tried[place] = tuple(trials(fitting, facts, wanted=_is_kprobe))
    inspection = Inspection(tried)
    plan = shares(chosen, lambda *place: tuple(one.script for one in tried[place] if one.script))
    report = carry_out(console, plan, output, jobs, after=inspection.look, complete=inspection.complete)
    if record is not None:
        record.write_text(json.dumps([asdict(one) for one in report.checked], indent=1))
    _print(console, report.checked)
    contradicted = [one for one in report.checked if {one.loads, one.expected_load} == {Answer.YES, Answer.NO}]
    for one in contradicted:
        console.print(f"contradicted: {one.script} on {one.lane}: predicted {one.expected_load}, saw {one.loads}")
    return 1 if contradicted else 0


def _objects(console: Console, packages: str) -> Iterator[NamedObject]:
    seen: set[str] = set()
    for wanted in WANTED:
        if packages not in wanted.name:
            continue
        for unpacked in fetch(wanted, console.print):
            for number, (file, content) in enumerate(contents(unpacked.folder)):
                if (key := digest(content)) in seen:
                    continue
                seen.add(key)
                try:
                    found = read(content)
                except Refused:
                    continue
                if found.byte_order == "little" and any(map(_is_kprobe, found.programs)):
                    yield NamedObject(f"{unpacked}/{file.name}@{number}", found)


def _is_kprobe(program: ObjectProgram) -> bool:
    return program.meaning is not None and program.meaning.mechanism in MECHANISMS


def _print(console: Console, checked: Sequence[Checked]) -> None:
    words = ("fires", "attaches", "loads", "not attached", "refused", "not run")
    table = Table("lane", "programs", *words, "model says so", "model silent", "contradicted")
    for lane in dict.fromkeys(one.lane for one in checked):
        of = [one for one in checked if one.lane == lane]
        counts = Counter(one.word for one in of)
        tried = [one for one in of if (one.loads is not Answer.UNTRIED and one.processed is not None) or one.whys]
        same = sum(one.expected_load is one.loads for one in tried)
        silent = sum(one.expected_load is Answer.UNKNOWN for one in tried)
        against = sum({one.loads, one.expected_load} == {Answer.YES, Answer.NO} for one in of)
        numbers = (len(of), *(counts[one] for one in words), same, silent, against)
        table.add_row(lane, *map(str, numbers))
    console.print(table)
    kinds = Counter((why.stage, why.kind, one.lane.split("/")[0]) for one in checked for why in one.whys)
    for (stage, kind, kernel), count in sorted(kinds.items()):
        console.print(f"{count:5} {stage:7} {kind} on {kernel}")
    examples: dict[tuple[str, str], Checked] = {}
    for one in checked:
        for why in one.whys:
            examples.setdefault((why.kind, why.rule[:40]), one)
    for (kind, _), one in examples.items():
        console.print(f"{kind}: {one.script} on {one.lane}")
        for why in one.whys:
            for line in lines(why):
                console.print(f"      {line}", soft_wrap=True)


if __name__ == "__main__":
    raise SystemExit(probes(standalone_mode=False))
