# SPDX-License-Identifier: MIT
"""`hil check` without machines: what the model says, and what a user did wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from harness.check import commands
from harness.check.commands import check
from harness.isa.assemble import R0, exit_, mov64_imm
from hil.errors import UserError
from hil.kernels import store
from hil.kernels.kernel import Kernel
from tests.fakes import fake_kernel
from tests.harness.objects.building import section
from tests.harness.objects.probes import probe
from tests.harness.programs.elf import Section, object_file


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(name: str, arch: object, **_: object) -> Kernel:
        if name == "linux-4.1":
            raise store.NotCached("linux-4.1 is not in the cache", remedy="build it")
        return fake_kernel(name, str(arch))

    monkeypatch.setattr("harness.check.kernels.store.get", get)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "probe.o").write_bytes(probe())
    return tmp_path / "probe.o"


def run(*words: object) -> Result:
    return CliRunner().invoke(check, [str(word) for word in words], standalone_mode=False, catch_exceptions=True)


@pytest.mark.usefixtures("kernels")
def test_the_model_answers_without_a_machine(file: Path) -> None:
    said = run(file, "--model-only", "--lanes", "debian-12/x86_64/interp")
    assert said.return_value == 0, said
    assert "attaches" in said.output or "fires" in said.output


@pytest.mark.usefixtures("kernels")
def test_the_model_does_not_take_runs_that_nobody_predicts_for_none(tmp_path: Path) -> None:
    (tmp_path / "p.o").write_bytes(probe("tracepoint/sched/sched_switch", mov64_imm(R0, 0), exit_()))
    said = run(tmp_path / "p.o", "--model-only", "--json", "--lanes", "debian-12/x86_64/interp")
    (one,) = json.loads(said.stdout)
    assert (one["attaches"], one["fires"], one["whys"][0]["kind"]) == ("yes", "unknown", "not-counted")


@pytest.mark.usefixtures("kernels")
def test_it_answers_as_data(file: Path) -> None:
    said = run(file, "--model-only", "--json", "--lanes", "debian-12/x86_64/interp,linux-4.1")
    (one,) = json.loads(said.stdout)
    assert (one["lane"], one["script"], one["loads"]) == ("debian-12/x86_64/interp", "probe.o:probe", "yes")


@pytest.mark.usefixtures("kernels")
def test_a_table_is_written_and_held_against(file: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.toml"
    words = (file, "--model-only", "--lanes", "debian-12/x86_64")
    assert run(*words, "--write-expect", table).return_value == 0
    assert run(*words, "--expect", table).return_value == 0
    table.write_text('["probe.o:probe"]\n"*" = "refused"\n')
    said = run(*words, "--expect", table)
    assert (said.return_value, "expected refused" in said.output) == (1, True)


@pytest.mark.usefixtures("kernels")
def test_what_the_model_cannot_tell_is_open(tmp_path: Path) -> None:
    (tmp_path / "xdp.o").write_bytes(probe("xdp", mov64_imm(R0, 2), exit_()))
    said = run(tmp_path / "xdp.o", "--model-only", "--lanes", "debian-12/x86_64/jit")
    assert "the model cannot tell whether it loads" in said.output
    assert said.return_value == 3


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--programs", "prob"), "did you mean 'probe'"),
        (("--trigger", "cap_task_prctle"), "did you mean 'cap_task_prctl'"),
        (("--trigger", "write_null:a"), "arguments are numbers; write write_null:0,0, for buf, count"),
        (("--trigger", "write_null:1,2,3"), "takes 2 arguments: buf, count"),
        (("--trigger", "write_null:0x10000000000000000"), "64 bits"),
        (("--write-expect", ""), "names no file"),
        (("--write-expect", "/nonexistent/table.toml"), "there is no folder /nonexistent"),
        (("--lanes", "debian-99"), "unknown lane"),
        (("--lanes", "linux-4.1"), "no kernel of the chosen lanes"),
        (("--json",), "--model-only"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(file: Path, words: tuple[str, ...], said: str) -> None:
    result = run(file, *words, *(() if "--json" in words else ("--model-only",)))
    assert isinstance(result.exception, UserError), result
    assert said in str(result.exception)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no object", "x.o: the file does not begin as an ELF file"),
        (object_file(Section("license", b"GPL\0")), "x.o holds no program"),
        (object_file(section("socket", mov64_imm(R0, 0), exit_()), order=">"), "x.o: a big-endian BPF object file"),
    ],
)
def test_a_file_without_programs_is_told(file: Path, tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.o").write_bytes(content)
    result = run(file, tmp_path / "x.o", "--model-only")
    assert isinstance(result.exception, UserError), result
    assert said in str(result.exception)


@pytest.mark.usefixtures("kernels")
def test_a_table_may_be_about_more_programs_than_are_tried(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other.o").write_bytes(probe(name="other"))
    words = (file, tmp_path / "other.o", "--model-only", "--lanes", "debian-12/x86_64")
    table = tmp_path / "table.toml"
    assert run(*words, "--write-expect", table).return_value == 0
    assert run(*words, "--programs", "other", "--expect", table).return_value == 0


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(("pattern", "fine"), [("linux-4.1", False), ("*", False), ("debian-12", True)])
def test_a_lane_that_is_left_out_meets_no_expectation(file: Path, tmp_path: Path, pattern: str, fine: bool) -> None:
    (tmp_path / "table.toml").write_text(f'["probe.o:probe"]\n"{pattern}" = "attaches"\n')
    words = (file, "--model-only", "--lanes", "debian-12/x86_64,linux-4.1", "--expect", tmp_path / "table.toml")
    said = run(*words)
    assert (said.return_value == 0) == fine, said
    assert fine or "linux-4.1 is not in the cache" in str(said.exception)


@pytest.mark.usefixtures("kernels")
def test_a_file_that_is_named_twice_is_tried_twice_under_names_that_a_choice_does_not_change(file: Path) -> None:
    said = run(file, file, "--model-only", "--json", "--lanes", "debian-12/x86_64/jit")
    assert [one["script"] for one in json.loads(said.stdout)] == ["probe.o:probe", "probe.o:probe-2"]


def test_a_device_or_a_pipe_is_no_object(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for words in ((tmp_path / "pipe",), ("/dev/zero",), (__file__, "--expect", tmp_path / "pipe")):
        result = run(*words, "--model-only")
        assert isinstance(result.exception, click.BadParameter), result
        assert "is a device or a pipe" in str(result.exception)


@pytest.mark.usefixtures("kernels")
def test_what_diverges_is_run_in_lockstep_on_request(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def carry_out(*_: object, on_divergence: str | None, **__: object) -> None:
        asked.append(on_divergence)
        raise UserError("enough")

    monkeypatch.setattr(commands, "carry_out", carry_out)
    for words in ((), ("--on-divergence", "lockstep")):
        assert str(run(file, "--lanes", "debian-12/x86_64", *words).exception) == "enough"
    assert asked == [None, "lockstep"]


def test_the_model_alone_runs_nothing_in_lockstep(file: Path) -> None:
    result = run(file, "--model-only", "--on-divergence", "lockstep")
    assert isinstance(result.exception, UserError) and "--model-only runs none" in str(result.exception)
