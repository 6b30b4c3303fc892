# SPDX-License-Identifier: MIT
"""The plugin in sessions of its own, as far as that needs no machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Loaded here once, and not in every session below: some of it cannot be loaded twice.
import harness.testing  # noqa: F401

pytest_plugins = ["pytester"]

LANES = "debian-12/*/*,debian-13/arm64/jit"


def test_loading_it_loads_nothing_else() -> None:
    program = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import harness.pytest_plugin.plugin\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["harness", "harness.pytest_plugin", "harness.pytest_plugin.plugin"]


def test_every_test_that_asks_for_a_lane_runs_on_each_lane_after_lane(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_first(lane):
            assert lane.kernel.startswith("debian-")

        def test_plain():
            pass

        def test_second(lane):
            assert lane.arch in ("x86_64", "arm64")
        """
    )
    result = pytester.runpytest_inprocess("-v", "--hil-lanes", LANES)
    result.assert_outcomes(passed=11)
    lanes = ["debian-12/x86_64/interp", "debian-12/x86_64/jit", "debian-12/arm64/interp", "debian-12/arm64/jit"]
    wanted = [f"*::test_{name}[[]{lane}[]] PASSED*" for lane in lanes[1:] for name in ("first", "second")]
    result.stdout.fnmatch_lines([*wanted, "*::test_first[[]debian-13/arm64/jit[]]*"])


def test_without_the_option_lanes_are_what_the_ini_file_says(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(lane): assert str(lane) == 'debian-13/arm64/jit'")
    pytester.makeini("[pytest]\nhil_lanes = debian-13/*/jit,*/arm64/jit")
    pytester.runpytest_inprocess("-k", "debian-13/arm64").assert_outcomes(passed=1, deselected=6)
    pytester.makeini("[pytest]")
    result = pytester.runpytest_inprocess("--collect-only", "-q")
    assert sum("::test_one[debian-12/" in line for line in result.outlines) == 4


def test_blanks_around_commas_do_not_count(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(lane): assert lane.arch == 'arm64'")
    pytester.makeini("[pytest]\nhil_lanes = debian-12/arm64 , debian-13/arm64/jit")
    pytester.runpytest_inprocess().assert_outcomes(passed=3)
    pytester.runpytest_inprocess("--hil-lanes", "debian-12/arm64, debian-13/arm64").assert_outcomes(passed=4)


def test_a_mistake_in_the_ini_file_is_a_usage_error_of_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(lane): pass")
    pytester.makeini("[pytest]\nhil_lanes = debian-12,debian-21")
    result = pytester.runpytest_inprocess()
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    (error,) = [line for line in result.errlines if line]
    assert error.startswith("ERROR: unknown lane 'debian-21'; write KERNEL/ARCH/ENGINE")


def test_a_variable_that_says_nothing_is_a_usage_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIL_TIME_SCALE", "fast")
    pytester.makepyfile("def test_one(lane): pass")
    result = pytester.runpytest_inprocess("--hil-lanes", "debian-12")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    assert any("HIL_TIME_SCALE='fast' is not a positive number" in line for line in result.errlines)


def test_what_others_call_a_lane_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def guest():
            return "mine"

        @pytest.mark.parametrize("lane", ["left", "right"])
        @pytest.mark.arch("sparc")
        def test_of_mine(lane, guest):
            assert (lane, guest) in [("left", "mine"), ("right", "mine")]
        """
    )
    pytester.runpytest_inprocess("--hil-lanes", "*").assert_outcomes(passed=2)


def test_a_lane_that_a_marker_excludes_is_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n\n@pytest.mark.kernel_from('6.6')\ndef test_one(lane): pass")
    result = pytester.runpytest_inprocess("-rs", "--strict-markers", "--hil-lanes", "debian-1[23]/arm64/jit")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*: debian-12/arm64/jit: for kernels from 6.6 on; this one is 6.1"])


def test_all_markers_must_allow_a_lane(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.arch("arm64", "x86_64")

        @pytest.mark.needs("kprobes", "jit")
        @pytest.mark.kernel_from("5.4")
        @pytest.mark.kernel_until("6.1")
        def test_one(lane):
            assert str(lane) in ("debian-11/arm64/jit", "debian-12/arm64/jit")
        """
    )
    pytester.runpytest_inprocess("--hil-lanes", "*/arm64").assert_outcomes(passed=2, skipped=8)


def test_a_marker_that_makes_no_sense_is_a_usage_error_of_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it="import pytest\n\n@pytest.mark.arch('sparc')\ndef test_one(lane): pass")
    result = pytester.runpytest_inprocess("--hil-lanes", "debian-12/arm64/jit")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    assert (
        "ERROR: test_it.py::test_one[debian-12/arm64/jit]: arch('sparc'): choose from x86_64, arm64, riscv64"
        in result.errlines
    )


@pytest.mark.parametrize("pattern", ["debian-21", "debian-12/sparc", "a/b/c/d", ""])
def test_a_pattern_that_matches_nothing_is_a_usage_error_even_where_no_test_asks(
    pattern: str, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile("def test_plain(): pass")
    result = pytester.runpytest_inprocess("--hil-lanes", pattern)
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    (error,) = [line for line in result.errlines if line]
    assert error.startswith(("ERROR: unknown lane ", "ERROR: lane "))
    assert "write KERNEL/ARCH/ENGINE" in error


def test_a_kernel_that_is_not_at_hand_is_a_skip_that_says_how_to_get_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "empty"))
    pytester.makepyfile("def test_one(machine): pass\n\ndef test_two(model): pass")
    result = pytester.runpytest_inprocess("-rs", "--hil-lanes", "linux-4.1/x86_64/jit")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED*linux-4.1/x86_64/jit: *not in the cache*hil kernels build linux-4.1*"])


def test_a_required_kernel_that_is_not_at_hand_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "empty"))
    pytester.makepyfile("def test_one(machine): pass")
    result = pytester.runpytest_inprocess("--hil-lanes", "linux-4.1/x86_64/jit", "--hil-require", "linux-4.1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*linux-4.1/x86_64/jit is required: *not in the cache*"])


def test_a_required_kernel_must_be_among_the_lanes(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--hil-lanes", "debian-12", "--hil-require", "debian-12,debian-21")
    assert result.ret is pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --hil-require debian-21: no lane of it was chosen; add it to --hil-lanes" in result.errlines


@pytest.mark.parametrize(
    "words", [["debian-12 debian-13"], ["debian-12, debian-13"], ["debian-12", "--hil-require", "debian-13"]]
)
def test_required_kernels_are_listed_by_commas_or_blanks_or_again(words: list[str], pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--hil-lanes", "debian-12", "--hil-require", *words)
    assert "ERROR: --hil-require debian-13: no lane of it was chosen; add it to --hil-lanes" in result.errlines


WITHOUT_A_MACHINE = """
import pytest
from tests.fakes import fake_executor, fake_facts, fake_session
from tests.harness.pytest_plugin.test_checking import ebadf


class Pool:
    def __init__(self, session):
        self.session = session


@pytest.fixture(scope="session")
def told():
    return fake_facts()


@pytest.fixture(scope="session")
def _hil_machine_pool(tmp_path_factory, told):
    log = tmp_path_factory.mktemp("machine") / "console.log"
    log.touch()
    return Pool(lambda lane: fake_session(fake_executor(ebadf, told), log))
"""
CHECKS = """
from harness.testing import expect, op


def test_judged(guest):
    guest.check(expect(op.Close(-1), "EBADF"), expect(op.Close(100), "EBADF"))


def test_unjudged(guest):
    guest.check(expect(op.Close(-1), "EBADF"), op.Close(100))
"""


LOST_AT_ONCE = """
from hil.errors import BenchError, MachineLost


def lost(lane):
    try:
        raise BenchError("the machine is gone")
    except BenchError as cause:
        raise MachineLost("the machine is gone", details="its last words") from cause


@pytest.fixture(scope="session")
def _hil_machine_pool():
    return Pool(lost)
"""


def test_a_machine_lost_before_the_test_began_is_told_once_and_without_a_traceback(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WITHOUT_A_MACHINE + LOST_AT_ONCE)
    pytester.makepyfile(CHECKS)
    result = pytester.runpytest_inprocess("--hil-lanes", "debian-12/arm64/jit")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["debian-12/arm64/jit: the machine is gone*", "its last words"])
    result.stdout.no_fnmatch_line("*in lost*")
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*raise MachineLost*")
    told = [line for line in result.outlines if line.startswith("debian-12/arm64/jit: the machine is gone")]
    assert len(told) == 2 and not any(line.endswith("BenchError: the machine is gone") for line in result.outlines)


NOT_CACHED = """
from hil.kernels.store import NotCached


def lost(lane):
    raise NotCached("the kernel is not in the cache and cannot be fetched", remedy="build it")


@pytest.fixture(scope="session")
def _hil_machine_pool():
    return Pool(lost)
"""


def test_a_kernel_that_nobody_can_fetch_is_a_skip_unless_it_is_required(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WITHOUT_A_MACHINE + NOT_CACHED)
    pytester.makepyfile(CHECKS)
    lanes = ["--hil-lanes", "debian-12/arm64/jit"]
    pytester.runpytest_inprocess(*lanes).assert_outcomes(skipped=2)
    result = pytester.runpytest_inprocess(*lanes, "--hil-require", "debian-12")
    result.assert_outcomes(errors=2)
    said = "debian-12/arm64/jit is required: the kernel is not in the cache and cannot be fetched; build it"
    assert result.outlines.count(said) == 2


def test_the_summary_says_how_much_was_judged_and_what_passed_for_want_of_a_word(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WITHOUT_A_MACHINE)
    pytester.makepyfile(CHECKS)
    result = pytester.runpytest_inprocess("--hil-lanes", "debian-12/arm64/jit")
    result.assert_outcomes(passed=2, warnings=2)
    result.stdout.fnmatch_lines(
        [
            "*Unjudged: debian-12/arm64/jit: operation 1, Close(descriptor=100): unpredicted: *",
            "*UnexpectedFailure: debian-12/arm64/jit: operation 1, Close(descriptor=100): EBADF, which nobody expected",
            "hil: 4 operations: judged by model and expectation 2, by one of them 1, by other lanes alone 0, by none 1",
        ]
    )


@pytest.mark.parametrize(
    "options",
    [
        ["--hil-require-predicted"],
        ["-W", "error::harness.testing.Unjudged"],
        ["-W", "error::harness.testing.UnexpectedFailure"],
    ],
)
def test_where_it_is_asked_for_nothing_passes_for_want_of_a_word(options: list[str], pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WITHOUT_A_MACHINE)
    pytester.makepyfile(CHECKS)
    result = pytester.runpytest_inprocess("--hil-lanes", "debian-12/arm64/jit", *options)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["FAILED *::test_unjudged*"])


OTHERWISE = """
@pytest.fixture(scope="session")
def told():
    return fake_facts(perf_event_paranoid=1)
"""


def test_in_what_a_kernel_differs_from_its_records_is_told_once(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WITHOUT_A_MACHINE + OTHERWISE)
    pytester.makepyfile(CHECKS)
    said = pytester.runpytest_inprocess("--hil-lanes", "debian-12/arm64").stdout.str()
    told = "hil: warning: debian-12/arm64: kernel/perf_event_paranoid is 1, where Debian's 6.1 has 3"
    assert said.count(told) == 1


def test_tests_without_a_guest_say_nothing_of_judgement(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_plain(): pass")
    assert "hil:" not in pytester.runpytest_inprocess().stdout.str()
