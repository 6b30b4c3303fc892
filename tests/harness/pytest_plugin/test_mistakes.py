# SPDX-License-Identifier: MIT
"""How pytest shows errors of the bench, and of a test's author."""

from __future__ import annotations

import re

import pytest

from tests.harness.objects.probes import probe
from tests.harness.pytest_plugin.test_plugin import WITHOUT_A_MACHINE

pytest_plugins = ["pytester"]

ERRORS = """
import pytest
from harness.testing import Diverged
from hil.errors import BenchError, UserError


def test_user():
    raise UserError("what happened", remedy="what to do")


def test_chain():
    try:
        raise BenchError("the cause")
    except BenchError as error:
        raise RuntimeError("another's") from error


def test_fixture(broken):
    pass


@pytest.fixture
def broken():
    raise BenchError("in a fixture")
"""


@pytest.mark.parametrize("style", ["auto", "short", "line"])
def test_errors_of_the_bench_are_shown_by_their_names_alone(style: str, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=ERRORS)
    result = pytester.runpytest_inprocess("-ra", f"--tb={style}")
    result.assert_outcomes(failed=2, errors=1)
    said = result.stdout.str()
    assert "hil.errors" not in said and "UserError: what happened; what to do" in said
    result.stdout.fnmatch_lines(
        ["ERROR test_it.py::test_fixture - BenchError: in a*", "FAILED test_it.py::test_user - UserError: what*"]
    )


MISTAKES = """
from harness.testing import array, asm, assemble, expect, op


def test_map(guest):
    guest.check(op.LookupElement(op.Ref("nosuch"), b"1234", 8))


def test_trigger(guest):
    guest.run(op.Trigger("nosuch"))


def test_instruction(guest):
    assemble("r0 = nosuch")


def test_label(guest):
    asm.program(asm.ja("nosuch"))


def test_errno(guest):
    expect(op.Close(1), "nosuch")


def test_object(guest):
    guest.attach("nosuch.o")


def test_model(model):
    model.run(array("nosuch"))
"""


def test_a_mistake_of_the_tests_author_is_shown_without_the_benchs_own_source(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WITHOUT_A_MACHINE)
    pytester.makepyfile(MISTAKES)
    result = pytester.runpytest_inprocess("--hil-lanes", "debian-12/arm64/jit")
    result.assert_outcomes(failed=7)
    places = [line for line in result.outlines if re.match(r"\S+:\d+: ", line)]
    assert len(places) == 7 and all(line.startswith("test_a_mistake") for line in places)
    assert len([line for line in result.outlines if line.startswith("E ")]) == 7
    result.stdout.fnmatch_lines(["E *Malformed: the model runs a Script, not CreateMap; make one of operations: *"])
    assert "__post_init__" not in result.stdout.str()
    assert "__post_init__" in pytester.runpytest_inprocess("--full-trace", "-k", "trigger").stdout.str()


NEVER_RUN = """
import pytest
from pathlib import Path


@pytest.fixture
def prepared(guest):
    return guest.load("probe.o")


def test_nothing(guest):
    guest.load("probe.o", "probe")


def test_one_of_two(guest):
    guest.load("probe.o").map("hits")
    guest.load(Path("probe.o"))


def test_fixture(prepared):
    pass


def test_another_failure(guest):
    guest.load("probe.o")
    assert False, "of its own"


def test_skipped(guest):
    guest.load("probe.o")
    pytest.skip("not here")


def test_steps(guest):
    guest.run(*guest.load("probe.o").steps)


def test_map(prepared):
    assert prepared.map("hits").shape.value_size == 8


def test_program(prepared):
    assert prepared.program().name == "probe"
"""


def test_an_object_of_which_nothing_is_used_fails_the_test(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WITHOUT_A_MACHINE)
    pytester.makepyfile(NEVER_RUN)
    (pytester.path / "probe.o").write_bytes(probe())
    result = pytester.runpytest_inprocess("--hil-lanes", "debian-12/arm64/jit")
    result.assert_outcomes(failed=4, skipped=1, passed=3)
    said = [line for line in result.outlines if line.startswith("what guest.")]
    end = "prepared was never run; call .check() or .run() on it"
    assert said == [
        f'what guest.load("probe.o", "probe") {end}',
        f'what guest.load("probe.o") {end}',
        f'what guest.load("probe.o") {end}',
    ]
    result.stdout.fnmatch_lines(["E*AssertionError: of its own"])
