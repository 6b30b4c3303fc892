# SPDX-License-Identifier: MIT
"""`hil show`: core_scripts, clauses, cases, and what a run found."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.compare import Verdict
from harness.fuzz import scripts as fuzzed
from harness.lane import compact
from harness.model.eras import era
from harness.report.show import show
from harness.run.checked import Answer, Checked, Element, MapContent
from harness.run.results import RunReport, ScriptResult
from harness.script.operations import LoadProgram
from harness.script.text import describe
from hil.errors import UserError
from tests.harness.reports import LANES, OPERATIONS, PROGRAM, everything


def shown(*arguments: str) -> list[str]:
    made = CliRunner().invoke(show, arguments, catch_exceptions=False, standalone_mode=False)
    return str(made.output).splitlines()


def test_an_essential_script_by_name_as_a_lane_has_it() -> None:
    first, *lines = shown("counting")
    assert first.startswith("script counting, as on debian-12/x86_64: ")
    assert "           1: (61) r0 = *(u32 *)(r6 +112)" in lines
    assert lines[-1] == "again: hil run --lanes debian-12/x86_64 --scripts counting"
    assert "           1: (61) r0 = *(u32 *)(r6 +0)" in shown("counting", "--lane", "debian-12/arm64/jit")


def test_a_clause_with_what_is_expected_in_an_era() -> None:
    lines = shown("DET-02", "--era", "4.1", "--arch", "x86_64")
    assert lines[0].startswith("script DET-02: ")
    assert any(line.startswith("         expected: ") for line in lines)
    last = shown("DET-02", "--lane", "debian-12/arm64")[-1]
    assert last == "again: hil conform --lanes debian-12/arm64 --clauses DET-02"


def test_what_a_script_needs_is_not_said_to_be_missing() -> None:
    assert "needs kprobes" in shown("counting")


def test_a_statement_with_variants_names_them() -> None:
    with pytest.raises(UserError, match=r"; there is ATTACH-12\.\S+ or ATTACH-12\.\S+"):
        shown("ATTACH-12")


def test_a_case_by_seed_and_number() -> None:
    lines = shown("case-777-2997", "--lane", "debian-12/x86_64")
    assert lines[0].startswith("script case-777-2997, as on debian-12/x86_64")
    assert lines[-1] == "again: hil fuzz --lanes debian-12/x86_64 --seed 777 --case 2997"
    assert any("exit" in line for line in lines)


def test_a_generated_script_with_all_it_does_in_children_and_threads() -> None:
    """Chosen from what `hil fuzz --of scripts --seed 7` makes, for a program of its own, and threads."""
    lines = shown("script-7-10", "--lane", "debian-12/x86_64")
    made = fuzzed.script(7, 10, era("6.1", "x86_64"))
    steps = [line for line in lines if re.match(r" {3,4}\d+  [A-Z]", line)]
    assert steps == [f"  {index:>3}  {describe(operation)}" for index, operation in enumerate(made.operations)]
    (threads,) = (line for line in steps if "RunThreads(" in line)
    assert "thread 0 on CPU 0: " in threads and ", thread 1 on CPU 1: " in threads
    loads = sum(isinstance(operation, LoadProgram) for operation in made.operations)
    assert lines.count("           in hexadecimal, an instruction a word:") == loads > 0
    assert lines[-2:] == [
        "needs two CPUs",
        "again: hil fuzz --lanes debian-12/x86_64 --of scripts --seed 7 --case 10",
    ]


def test_a_divergence_of_a_run(tmp_path: Path) -> None:
    everything().write(tmp_path / "results.json")
    lines = shown(f"{tmp_path}:lookup")
    at = lines.index(f"diverge on {LANES[0]}")
    assert lines[at + 1 : at + 5] == [
        f"    operation 4: {OPERATIONS[4]}",
        "    predicted: EEXIST",
        "    observed: 0",
        f"    again: hil run --lanes {LANES[0]} --scripts lookup",
    ]
    assert f"->  4  {OPERATIONS[4]}" in lines
    assert [line for line in PROGRAM.listing if f"           {line}" not in lines] == []
    assert not any(line.startswith("diverge") for line in shown(f"{tmp_path}:lookup", "--lane", "debian-12/arm64"))


def test_a_run_that_recorded_no_programs_says_where_they_are(tmp_path: Path) -> None:
    made = everything()
    old = replace(made, scripts=tuple(replace(text, programs=()) for text in made.scripts))
    old.write(tmp_path / "results.json")
    assert shown(f"{tmp_path}:lookup")[-1].endswith("see hil show lookup")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["countin"], "counting"),
        (["nonsense-of-mine"], "hil conform --list"),
        (["RUN:lookup"], "there is no run 'RUN'"),
        (["RUN:probe.o:count"], "there is no run 'RUN'"),
        (["FOLDER:probe.o:coun"], "did you mean probe.o:count"),
        (["FOLDER:lokup"], "did you mean lookup"),
        (["FOLDER:lookup", "--era", "4.1"], "--lane"),
        (["FOLDER:lookup", "--lane", "debian-13"], "debian-13"),
        (["counting", "--lane", "debian-21"], "debian-21"),
    ],
)
def test_what_is_not_there_is_wrong_usage(arguments: list[str], told: str, tmp_path: Path) -> None:
    named_with_colon().write(tmp_path / "results.json")
    with pytest.raises(UserError) as caught:
        shown(*(word.replace("FOLDER", str(tmp_path)) for word in arguments))
    assert told in str(caught.value)


def test_a_clause_of_other_eras_names_them() -> None:
    with pytest.raises(UserError, match=r"is not about era 4\.1; give --era 5\.10"):
        shown("RBUF-25", "--era", "4.1")


def named_with_colon() -> RunReport:
    """A run in which a script is called probe.o:count, and agrees on one lane."""
    made = everything()
    program = Checked(
        LANES[0],
        "folder/probe.o",
        "count",
        "kprobe/f",
        "probe.o:count",
        *(Answer.YES, Answer.YES, Answer.YES),
        hits=3,
        maps=(MapContent("hits", (Element("0", "3"),)),),
    )
    outline = replace(made.scripts[0], script="probe.o:count", programs=())
    agrees = ScriptResult(LANES[0], "probe.o:count", Verdict.AGREE)
    return replace(
        made, results=(*made.results, agrees), scripts=(*made.scripts, outline), checked=(*made.checked, program)
    )


@pytest.mark.parametrize("folder", ["run", "run:of:today"])
def test_a_name_and_a_run_may_have_colons(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    named_with_colon().write(tmp_path / folder / "results.json")
    lines = shown(f"{tmp_path / folder}:probe.o:count")
    at = lines.index(f"the program on {LANES[0]}")
    assert lines[at - 1] == f"agree on {LANES[0]}"
    assert lines[at + 1 : at + 3] == ["    kprobe/f of folder/probe.o: fires 3", "    map hits: [0] = 3"]
    assert lines[-1].endswith("see hil object FILE")
    assert shown(f"{tmp_path / folder}/results.json:probe.o:count") == lines
    assert f"diverge on {LANES[0]}" in shown(f"{tmp_path / folder}:lookup")


def test_what_lanes_have_alike_is_told_once_and_long_bytes_only_on_request(tmp_path: Path) -> None:
    made = named_with_colon()
    again = replace(made.checked[-1], lane=LANES[1])
    other = replace(made.checked[-1], lane=LANES[2], hits=1)
    agree = tuple(ScriptResult(lane, "probe.o:count", Verdict.AGREE) for lane in LANES[1:3])
    types = f"RawBpf(command=BTF_LOAD, parts=(0:8=&{'9f' * 100}))"
    machines = tuple(dict.fromkeys(lane.rpartition("/")[0] for lane in LANES))
    form = replace(made.scripts[-1], operations=(types, *made.scripts[-1].operations[1:]), machines=machines)
    replace(
        made,
        results=(*made.results, *agree),
        scripts=(*made.scripts[:-1], form),
        checked=(*made.checked, again, other),
    ).write(tmp_path / "results.json")
    lines = shown(f"{tmp_path}:probe.o:count")
    assert sum(line.startswith("the program on ") for line in lines) == 2
    assert f"the program on {', '.join(compact(LANES[:2]))}" in lines
    assert any("9f9f...100 bytes...9f" in line for line in lines) and not any("9f" * 100 in line for line in lines)
    assert any(types in line for line in shown(f"{tmp_path}:probe.o:count", "--whole"))
