# SPDX-License-Identifier: MIT
"""Errors on their way from one process to another."""

from __future__ import annotations

import errno
import pickle

import pytest

from harness.script.malformed import Malformed
from hil.cache import Unusable
from hil.errors import BenchError, HilError, exhausted


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


def test_what_python_says_of_a_process_without_memory_or_threads_is_told_as_that() -> None:
    for error, told in ((MemoryError(), "has no memory left"), (RuntimeError("can't start new thread"), "no thread")):
        known = exhausted(error)
        assert known is not None and told in known.what and known.remedy
    assert exhausted(RuntimeError("a fault")) is None
