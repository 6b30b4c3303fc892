# SPDX-License-Identifier: MIT
"""Fragments of configurations, and the check of the result."""

from hil.kernels import configuration
from hil.kernels.building.options import Option, complaints, fragment

CONFIG = """
# Linux/x86 4.1.52 Kernel Configuration
CONFIG_BPF_SYSCALL=y
CONFIG_TEST_BPF=m
CONFIG_NR_CPUS=8
CONFIG_CMDLINE=""
# CONFIG_SOUND is not set
"""


def test_a_fragment_is_lines_of_a_configuration() -> None:
    asked = [Option("BPF_SYSCALL", "y"), Option("SOUND", "n"), Option("CMDLINE", '""')]
    assert fragment(asked) == 'CONFIG_BPF_SYSCALL=y\n# CONFIG_SOUND is not set\nCONFIG_CMDLINE=""\n'


def test_reading_keeps_what_is_set() -> None:
    assert configuration.options(CONFIG) == {
        "CONFIG_BPF_SYSCALL": "y",
        "CONFIG_TEST_BPF": "m",
        "CONFIG_NR_CPUS": "8",
        "CONFIG_CMDLINE": '""',
    }


def test_all_granted() -> None:
    asked = [Option("TEST_BPF", "m"), Option("SOUND", "n"), Option("DRM", "n"), Option("NR_CPUS", "8")]
    assert complaints(CONFIG, asked, {"KPROBES": "not there"}) == []


def test_each_that_was_not_granted_is_named() -> None:
    asked = [Option("KPROBES", "y"), Option("BPF_SYSCALL", "n"), Option("TEST_BPF", "y"), Option("SOUND", "y")]
    assert complaints(CONFIG, asked, {}) == [
        "KPROBES is not set, not y",
        "BPF_SYSCALL is y, not n",
        "TEST_BPF is m, not y",
        "SOUND is not set, not y",
    ]


def test_the_impossible_must_not_happen() -> None:
    assert complaints(CONFIG, [], {"TEST_BPF": "needs a moon"}) == [
        "TEST_BPF is m, but the recipe says it is impossible: needs a moon"
    ]
