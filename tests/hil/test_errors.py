# SPDX-License-Identifier: MIT
"""Errors on their way from one process to another."""

from __future__ import annotations

import errno
import pickle

import pytest

from harness.script.malformed import Malformed
from hil.cache import Unusable
from hil.errors import BenchError, HilError


@pytest.mark.parametrize(
    "error",
    [
        BenchError("no disk", remedy="buy one", details="line 1"),
        Malformed("nonsense", remedy="mend it"),
        Unusable("/cache", errno.ENOSPC),
    ],
)
def test_an_error_is_the_same_in_another_process(error: HilError) -> None:
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is type(error)
    assert (str(there), there.args, vars(there)) == (str(error), error.args, vars(error))
