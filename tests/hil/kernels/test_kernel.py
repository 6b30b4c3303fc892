# SPDX-License-Identifier: MIT
from pathlib import Path

import pytest

from hil.arch import architecture
from hil.kernels.kernel import Kernel

HERE = Path()


@pytest.mark.parametrize(
    ("version", "code"), [("4.1.52", 0x040134), ("6.1.192", 0x0601C0), ("7.2", 0x070200), ("4.9.337", 0x0409FF)]
)
def test_the_code_of_a_version(version: str, code: int) -> None:
    kernel = Kernel("k", architecture("arm64"), HERE, HERE, HERE, None, None, None, "", version, "", {})
    assert kernel.version_code == code
