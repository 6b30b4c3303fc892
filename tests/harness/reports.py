# SPDX-License-Identifier: MIT
"""Small made-up runs: what a run leaves, without machines."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from harness.compare import Verdict
from harness.run.again import with_again
from harness.run.results import MachineReport, OperationReport, ProgramText, RunReport, ScriptResult, ScriptText
from harness.run.rounds import summed
from harness.run.texts import needs_whole

LANES = ("debian-12/x86_64/jit", "debian-12/arm64/interp", "debian-12/arm64/jit")
SCRIPTS = ("counting", "lookup", "attach-twice")
COMMAND = ("/usr/bin/hil", "run", "--lanes", "debian-12")
OPERATIONS = (
    "CreateMap(name='m', type=ARRAY, key_size=4, value_size=8, max_entries=1)",
    "LoadProgram(name='p', type=KPROBE, program=<4 instructions>)",
    "CreateKprobe(name='k', symbol='cap_task_prctl')",
    "OpenEvent(name='e', config=k)",
    "Attach(event=e, program=p)",
)
PROGRAM = ProgramText(
    1,
    "p",
    ("0: (18) r1 = map m", "2: (b7) r0 = 0", "3: (95) exit"),
    "1811000000000000 0000000000000000 b700000000000000 9500000000000000",
    (f"m, in instruction 0: {OPERATIONS[0]}",),
)
UNPREDICTED = OperationReport(
    4, "Attach(event=e, program=p)", "unpredicted: no rule", "0", difference=("here: 0", "there: EEXIST")
)
ATTACH = OperationReport(4, "Attach(event=e, program=p)", "EEXIST", "0")


def result(lane: str, script: str, verdict: Verdict = Verdict.AGREE, seconds: float = 0.25) -> ScriptResult:
    """A result as runs have it: a divergence names an operation, a failure a reason."""
    if verdict is Verdict.AGREE:
        return ScriptResult(lane, script, verdict, seconds=seconds)
    if verdict is Verdict.DIVERGE:
        return ScriptResult(lane, script, verdict, "operation 4, Attach: differs", ATTACH, seconds=seconds)
    if verdict is Verdict.DISAGREE:
        said = replace(UNPREDICTED, against=tuple(one for one in LANES if one != lane))
        return ScriptResult(lane, script, verdict, "operation 4, Attach: 0 here; EEXIST there", said, seconds=seconds)
    if verdict is Verdict.FLAKY:
        (made,) = summed(result(lane, script, one, seconds) for one in (Verdict.AGREE, Verdict.DIVERGE, Verdict.AGREE))
        return made
    return ScriptResult(lane, script, verdict, f"why it is {verdict}", seconds=seconds)


def machine(kernel: str, arch: str, image: str = "c0ffee", boot: float | None = 9.5) -> MachineReport:
    return MachineReport(
        kernel,
        arch,
        uname=f"Linux hil 6.1.0 {arch}",
        qemu_version="7.2.22",
        command=("qemu-system-x", "-append", "console=ttyS0 quiet"),
        provenance={
            "source": "debian",
            "metapackage": {"name": f"linux-image-{arch}", "version": "6.1.192-2"},
            "packages": [{"name": f"linux-image-6.1.0-{arch}", "version": "6.1.192-2"}],
            "sha256": {"image": image * 10 + arch, "config": "beef"},
        },
        boot_seconds=boot,
        console=f"{kernel}-{arch}/console.log",
    )


def report(*results: ScriptResult, lanes: tuple[str, ...] = LANES, interrupted: bool = False) -> RunReport:
    machines = dict.fromkeys(tuple(lane.split("/")[:2]) for lane in lanes)
    names = dict.fromkeys(result.script for result in results)
    where = tuple("/".join(machine) for machine in machines)
    return RunReport(
        started="2026-01-02T03:04:05+00:00",
        seconds=12.5,
        command=COMMAND,
        host={"system": "Linux", "cpus": "2", "hil": "0.1.0"},
        lanes=lanes,
        machines=tuple(machine(kernel, arch) for kernel, arch in machines),
        results=tuple(with_again(result, COMMAND) for result in results),
        scripts=tuple(
            ScriptText(
                name,
                f"what {name} shows",
                OPERATIONS,
                where,
                programs=(PROGRAM,) if any(needs_whole(one) for one in results if one.script == name) else (),
            )
            for name in names
        ),
        interrupted=interrupted,
    )


def everything() -> RunReport:
    """Every verdict once, on three lanes."""
    verdicts = [*(one for one in Verdict if one is not Verdict.DISAGREE), Verdict.AGREE, Verdict.DISAGREE]
    places = [(lane, script) for lane in LANES for script in SCRIPTS]
    return report(*(result(*place, verdict) for place, verdict in zip(places, verdicts, strict=True)))


def agreeing() -> RunReport:
    """The same lanes and scripts, all as predicted."""
    return report(*(result(lane, script) for lane in LANES for script in SCRIPTS))


operations = st.builds(
    OperationReport,
    st.integers(0, 5),
    st.sampled_from(["Attach(event=e, program=p)", "ReadCount(event=e)"]),
    st.sampled_from(["0", "EEXIST"]),
    st.sampled_from(["1", "EINVAL"]),
)


@st.composite
def results(draw: st.DrawFn, lane: str, script: str) -> ScriptResult:
    verdict = draw(st.sampled_from([verdict for verdict in Verdict if verdict is not Verdict.FLAKY]))
    made = result(lane, script, verdict, draw(st.floats(0.001, 10)))
    if verdict is Verdict.DIVERGE:
        operation = draw(operations)
        return ScriptResult(lane, script, verdict, f"operation {operation.index}", operation, seconds=made.seconds)
    return made


@st.composite
def reports(draw: st.DrawFn) -> RunReport:
    """Runs of some lanes and scripts, perhaps repeated, in any order."""
    lanes = tuple(draw(st.lists(st.sampled_from(LANES), min_size=1, unique=True)))
    rounds = draw(st.integers(1, 3), label="rounds")
    found = [
        draw(results(lane, script))
        for lane in lanes
        for script in SCRIPTS
        if draw(st.booleans(), label="whether it ran")
        for _ in range(rounds)
    ]
    return report(*draw(st.permutations(summed(found))), lanes=lanes)
