# SPDX-License-Identifier: MIT
"""How pytest shows errors of the bench, and of a test's author."""

from __future__ import annotations

import re

import pytest

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
