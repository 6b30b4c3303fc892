"""What `hil debug` says to requests it cannot meet; nothing boots."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from harness.debug import commands
from harness.debug.hooks import HOOKS, hook
from harness.lane import Engine, Lane
from hil.errors import UserError
from hil.kernels import catalogue


def refused(*arguments: str) -> str:
    result: Result = CliRunner().invoke(commands.debug, arguments)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def test_a_lane_that_does_not_exist() -> None:
    assert "debian-1" in refused("debian-1/x86_64")


def test_more_than_one_lane_is_too_many() -> None:
    assert "names 4 lanes; choose one of: debian-12/x86_64/interp," in refused("debian-12")


def test_an_architecture_is_enough_to_choose_the_interpreter() -> None:
    assert commands._lane("debian-12/arm64") == Lane("debian-12", "arm64", Engine.INTERP)
    assert commands._lane("debian-12/arm64/jit").engine is Engine.JIT


def test_a_script_that_does_not_exist() -> None:
    with pytest.raises(UserError, match=r"choose one of: .*counting"):
        commands._script("x86_64", "6.1", "nothing")


def test_every_era_of_the_catalogue_has_a_hook() -> None:
    assert all(hook(era).symbol for era in catalogue.eras())
    assert all(row.arguments.index("ctx") == 1 for row in HOOKS.values())


def test_an_unknown_era_is_told() -> None:
    with pytest.raises(UserError, match="--break"):
        hook("2.6")
