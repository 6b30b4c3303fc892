# SPDX-License-Identifier: MIT
"""The main job on real guests: agreement, a model broken on purpose, and machines that die in the middle."""

from __future__ import annotations

import html
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
from rich.console import Console

from harness.compare import Verdict
from harness.core_scripts import core_scripts
from harness.core_scripts.parts import PRCTL, prctl
from harness.isa.instruction import Instruction
from harness.jobs.artifacts import EVERYTHING
from harness.lane import Engine, Lane
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.instructions.table import instruction_table
from harness.model.state import State
from harness.model.value import M64
from harness.report import markdown
from harness.report.summary import summarize
from harness.run import matrix
from harness.run.plan import Share
from harness.run.results import ScriptResult
from harness.run.worker import Worker
from harness.script.expectation import SUCCESS
from harness.script.operations import CreateKprobe, OpenEvent, Ref, Script, WriteKprobeEvents
from hil.arch import architecture
from hil.kernels import store

pytestmark = pytest.mark.guest

ARCHITECTURES = ("x86_64", "arm64")
ENDLESS = Script("endless", "fires longer than any test waits", (prctl(times=1_000_000_000),))
AFTER = Script("after", "whatever comes behind it", (prctl(),))


class Silent:
    """A watch that keeps what it is told, and calls `on_result` for each result."""

    def __init__(self, on_result: Callable[[ScriptResult], None] = lambda _: None) -> None:
        self.states: list[str] = []
        self._on_result = on_result

    def state(self, share: Share, text: str) -> None:
        self.states.append(text)

    def done(self, lane: Lane, result: ScriptResult) -> None:
        self._on_result(result)


def hil(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "hil", *arguments], capture_output=True, text=True, timeout=900)


def test_every_essential_script_agrees_on_both_architectures_and_engines(tmp_path: Path) -> None:
    done = hil("run", "--output", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "latest"
    report = json.loads((folder / "results.json").read_text())
    assert len(report["lanes"]) == 4
    assert len(report["results"]) == 4 * len(core_scripts("arm64", "6.1"))
    assert {result["verdict"] for result in report["results"]} == {"agree"}
    assert [machine["uname"].split()[-2] for machine in report["machines"]] == ["x86_64", "aarch64"]
    for machine in report["machines"]:
        assert "hil: ready" in (folder / machine["console"]).read_text(errors="replace")
        assert machine["command"][0].startswith("qemu-system-")
        assert machine["provenance"]["sha256"]
        assert machine["uname"] in done.stdout
    suites = ElementTree.parse(folder / "junit.xml").getroot()
    assert [suite.attrib["name"] for suite in suites] == report["lanes"]


def adds_one_too_many(state: State, instruction: Instruction) -> None:
    """`dst += src`, wrong by one."""
    state.registers[instruction.dst] = (state.registers[instruction.dst] + state.registers[instruction.src] + 1) & M64


def test_a_model_that_is_wrong_in_one_instruction_is_found_and_named(tmp_path: Path) -> None:
    def broken(environment: Environment) -> ModelExecutor:
        table = instruction_table(environment.rules)
        return ModelExecutor(environment, instructions={**table, "add64_reg": adds_one_too_many})

    plan = [share(arch, *core_scripts(arch, "6.1"), engines=tuple(Engine)) for arch in ARCHITECTURES]
    report = matrix.run(plan, tmp_path, Silent(), model=broken, artifacts=EVERYTHING)
    assert report.exit_status == 1
    diverged = [result for result in report.results if result.verdict is Verdict.DIVERGE]
    adding = ("arithmetic-64", "filter-arithmetic-64", "verdict-arithmetic-64")
    assert {(result.lane, result.script) for result in diverged} == set(product(report.lanes, adding))
    stream = io.StringIO()
    summarize(Console(file=stream, width=80), report, tmp_path)
    assert re.search("^diverge: .*arithmetic-64.* on debian-12$", stream.getvalue(), re.MULTILINE)
    document = json.loads((tmp_path / "results.json").read_text())
    records = {
        "results.json": "\n".join(_strings(document)),
        "HTML": html.unescape((tmp_path / "report.html").read_text()),
        "JUnit": "\n".join(ElementTree.parse(tmp_path / "junit.xml").getroot().itertext()),
        "Markdown": markdown.render(report),
        "the terminal": stream.getvalue(),
    }
    for name, told in records.items():
        for part in (
            "LookupElement(map=results, key=00000000, value_size=8)",  # where it shows
            "9677665544332211",  # what was predicted
            "9577665544332211",  # what was seen
            "7: (0f) r7 += r8",  # what did it
            "0f87000000000000",
            "CreateMap(name='results', type=ARRAY, key_size=4, value_size=8, max_entries=9)",
        ):
            assert part in told, f"{name} has no {part}"
        assert re.search(r"hil run --lanes debian-12\S* --scripts arithmetic-64", told), name


def _strings(data: object) -> Iterator[str]:
    match data:
        case str():
            yield data
        case list() | dict():
            for item in data.values() if isinstance(data, dict) else data:
                yield from _strings(item)


def share(arch: str, *scripts: Script, engines: tuple[Engine, ...] = (Engine.INTERP,)) -> Share:
    return Share("debian-12", arch, engines, scripts)


def run_while(sabotage: Callable[[Worker], None], folder: Path, *scripts: Script) -> dict[str, Worker]:
    """Both architectures side by side; `sabotage` strikes x86_64 once its first script is done."""
    struck = threading.Event()
    first_done = Silent(lambda _: struck.set())
    victim = Worker(share("x86_64", *scripts), folder, first_done)
    bystander = Worker(share("arm64", core_scripts("arm64", "6.1")[0]), folder, Silent())
    threads = [threading.Thread(target=worker.run) for worker in (victim, bystander)]
    for thread in threads:
        thread.start()
    assert struck.wait(300), victim.report
    time.sleep(1)  # so that the next script, which never ends by itself, is under way
    sabotage(victim)
    started = time.monotonic()
    threads[0].join(60)
    assert not threads[0].is_alive(), "the loss was not noticed"
    print(f"noticed after {time.monotonic() - started:.1f} s")
    threads[1].join(300)
    assert [result.verdict for result in bystander.results] == [Verdict.AGREE]
    return {"victim": victim, "bystander": bystander}


def kill_qemu(worker: Worker) -> None:
    assert worker.machine is not None
    os.kill(worker.machine.pid, signal.SIGKILL)


def crash(worker: Worker) -> None:
    """`echo c >/proc/sysrq-trigger`: the command never returns, since the kernel is gone."""
    assert worker.machine is not None
    machine = worker.machine
    threading.Thread(target=lambda: _ignore(lambda: machine.run(["sh", "-c", "echo c >/proc/sysrq-trigger"]))).start()


def _ignore(action: Callable[[], object]) -> None:
    try:
        action()
    except Exception as error:
        print(f"as expected: {error}")


@pytest.mark.parametrize(("sabotage", "said"), [(kill_qemu, "SIGKILL"), (crash, "panic")])
def test_a_machine_that_dies_costs_the_script_it_was_at_and_another_one_does_the_rest(
    sabotage: Callable[[Worker], None], said: str, tmp_path: Path
) -> None:
    first = core_scripts("x86_64", "6.1")[0]
    victim = run_while(sabotage, tmp_path, first, ENDLESS, AFTER)["victim"]
    assert [(result.script, result.verdict) for result in victim.results] == [
        (first.name, Verdict.AGREE),
        ("endless", Verdict.LOST),
        ("after", Verdict.AGREE),
    ]
    assert said in victim.results[1].reason, victim.results[1].reason
    lost, replacement = victim.reports
    assert said in lost.trouble and not replacement.trouble
    assert lost.console != replacement.console
    assert replacement.boot_seconds


def test_an_agent_that_dies_costs_its_script_and_the_rest_goes_on(tmp_path: Path) -> None:
    def kill_agent(worker: Worker) -> None:
        assert worker.machine is not None
        worker.machine.run(["killall", "-9", "hil-agent"])

    first = core_scripts("x86_64", "6.1")[0]
    victim = run_while(kill_agent, tmp_path, first, ENDLESS, AFTER)["victim"]
    assert [(result.script, result.verdict) for result in victim.results] == [
        (first.name, Verdict.AGREE),
        ("endless", Verdict.LOST),
        ("after", Verdict.AGREE),
    ]


def test_a_script_that_does_not_end_is_lost_at_the_operation_it_hangs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.lowering.executor.DEADLINE", 3.0)
    worker = Worker(share("arm64", ENDLESS, AFTER), tmp_path, Silent())
    worker.run()
    endless, after = worker.results
    assert endless.verdict is Verdict.LOST and "deadline" in endless.reason
    assert endless.operation is not None and endless.operation.index == 0
    assert after.verdict is Verdict.AGREE


def test_an_interrupt_leaves_no_machine_and_writes_what_there_is(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hil", "run", "--lanes", "debian-12/x86_64", "--output", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "booting" in line:
            break
    deadline = time.monotonic() + 60
    while not (guests := _descendants(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert guests
    psutil.wait_procs(guests, timeout=10)
    assert not [guest for guest in guests if guest.is_running()]
    assert json.loads((tmp_path / "latest" / "results.json").read_text())["results"]


def _descendants(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children(recursive=True) if "qemu" in child.name()]


def test_what_a_script_leaves_over_shows_in_the_next_round(tmp_path: Path) -> None:
    probe = WriteKprobeEvents("p:left/over cap_task_prctl")
    leaving = Script("leaving", "makes a kprobe event and does not remove it", (probe,), expected=(SUCCESS,))
    once = replace(share("x86_64", leaving, AFTER), rounds=3)
    report = matrix.run([once], tmp_path, Silent())
    assert report.exit_status == 1
    flaky, after = report.results
    assert (flaky.verdict, flaky.rounds, after.verdict) == (Verdict.FLAKY, 3, Verdict.AGREE)
    assert [(seen.rounds, seen.verdict) for seen in flaky.sightings] == [
        ((1,), Verdict.AGREE),
        ((2, 3), Verdict.DIVERGE),
    ]
    assert "saw EEXIST" in flaky.reason


DEADLY = Script(
    "deadly",
    "A probe inside a function, which 4.1 may die of when it is hit",
    (CreateKprobe("probe", PRCTL, offset=5), OpenEvent("event", Ref("probe")), prctl(), prctl()),
)


def test_a_machine_that_dies_of_a_fault_the_model_knows_is_known(tmp_path: Path) -> None:
    """4.1.52 for x86_64 at a probe of cap_task_prctl+5: resume_execution() writes into a read-only page."""
    if store.find("linux-4.1", architecture("x86_64")) is None:
        pytest.skip("linux-4.1/x86_64 is not in the cache, and must be built or imported")
    bystander = core_scripts("x86_64", "4.1")[0]
    report = matrix.run([Share("linux-4.1", "x86_64", (Engine.INTERP,), (DEADLY, bystander))], tmp_path, Silent())
    verdicts = {result.script: result for result in report.results}
    assert verdicts["deadly"].verdict is Verdict.KNOWN
    assert "Masami Hiramatsu" in verdicts["deadly"].reason and "guest" in verdicts["deadly"].reason
    assert verdicts[bystander.name].verdict is Verdict.AGREE, "on another machine"
    assert (report.exit_status, len(report.machines)) == (0, 2)
