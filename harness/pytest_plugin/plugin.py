# SPDX-License-Identifier: MIT
"""The module that pytest loads: options, markers and fixtures.

pytest imports this in every session where the wheel is installed; what is needed to boot a kernel is imported when a
test asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from harness.debug.bpf_session import Debugger
    from harness.lane import Lane
    from harness.model.executor import ModelExecutor
    from harness.pytest_plugin.examining import Examination
    from harness.pytest_plugin.guest import LaneGuest
    from harness.pytest_plugin.machine_pool import MachinePool
    from harness.pytest_plugin.peers import Peers
    from harness.pytest_plugin.workers import Worker
    from hil.machine import Machine

MARKERS = (
    "kernel_from(release): on a lane, only on kernels of this release (MAJOR.MINOR) and later ones",
    "kernel_until(release): on a lane, only on kernels up to this release, which is included",
    "arch(name, ...): on a lane, only on these architectures",
    "needs(name, ...): on a lane, only where it has all of them: kprobes, jit, interpreter, two-cpus, ...",
)
"""Each has the prefix `hil_`, and without it a short name as well, as fixtures have (`short_names`)."""
DEFAULT_LANES = "debian-12"
_LANE = "hil_lane"
_CHOSEN = pytest.StashKey["tuple[Lane, ...]"]()
_GUEST = pytest.StashKey["LaneGuest"]()
_PEERS: pytest.StashKey[dict[str, Peers]] = pytest.StashKey()
"""The lanes that each test ran on so far, by the test's name without its lane."""
_TELLS = pytest.StashKey[bool]()
"""Whether there is something to tell at the end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hil", "real kernels under QEMU, compared with a model")
    group.addoption(
        "--hil-lanes",
        metavar="PATTERNS",
        help="KERNEL/ARCH/ENGINE patterns, by commas, for tests that ask for a lane; without it hil_lanes of pytest's "
        f"ini file, else {DEFAULT_LANES}",
    )
    group.addoption(
        "--hil-require",
        metavar="KERNELS",
        action="append",
        default=[],
        help="kernels, by commas or blanks, whose tests fail, not skip, where there is no such kernel or engine; "
        "may be given again",
    )
    group.addoption(
        "--hil-require-predicted",
        action="store_true",
        help="fail a test when neither the model nor an expectation predicts an operation",
    )
    group.addoption(
        "--hil-on-divergence",
        choices=["lockstep"],
        help="run the first scripts of a lane that diverge once more, every instruction compared",
    )
    group.addoption("--hil-cold", action="store_true", help="boot every machine, as HIL_COLD=1 does")
    group.addoption("--hil-output", metavar="FOLDER", type=Path, help="where a folder for the machines' logs is made")
    parser.addini("hil_lanes", "what --hil-lanes is when it is not given", default=DEFAULT_LANES)
    parser.addini(
        "hil_short_names",
        "whether fixtures and markers also have names without the prefix hil_: guest, needs, ...",
        type="bool",
        default=True,
    )


def pytest_configure(config: pytest.Config) -> None:
    prefixes = ["hil_"]
    if config.getini("hil_short_names"):
        from harness.pytest_plugin import short_names

        config.pluginmanager.register(short_names, "hil-short-names")
        prefixes.append("")
    for prefix in prefixes:
        for marker in MARKERS:
            config.addinivalue_line("markers", prefix + marker)
    if config.getoption("--hil-cold"):
        os.environ["HIL_COLD"] = "1"  # also for programs that tests start
    # A mistake is reported before anything is collected.
    if config.getoption("--hil-lanes") is not None or config.getini("hil_lanes") != DEFAULT_LANES:
        _lanes(config)
    for kernel in _required(config):
        if kernel not in {lane.kernel for lane in _lanes(config)}:
            raise pytest.UsageError(f"--hil-require {kernel}: no lane of it was chosen; add it to --hil-lanes")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if _LANE in metafunc.fixturenames:
        lanes = _lanes(metafunc.config)
        # The scope makes pytest run everything of one lane before the next.
        metafunc.parametrize(_LANE, lanes, ids=map(str, lanes), indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and _LANE in item.fixturenames:
            from harness.pytest_plugin.markers import exclusion

            lane = cast("Lane", item.callspec.params[_LANE])
            if reason := exclusion(item, lane, short=item.config.getini("hil_short_names")):
                item.add_marker(pytest.mark.skip(reason=f"{lane}: {reason}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    yield
    if _GUEST in item.stash and (calls := item.stash[_GUEST].never_run()):
        said = f"what {' and '.join(calls)} prepared was never run; call .check() or .run() on it"
        raise pytest.fail.Exception(said, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    if call.excinfo is not None and not item.config.getoption("fulltrace"):
        from harness.pytest_plugin.mistakes import at_the_tests_line

        at_the_tests_line(call.excinfo)
    report = yield
    if call.excinfo is not None:
        from harness.pytest_plugin.mistakes import shorten

        shorten(report, call.excinfo.value)
    if call.when == "call" and _GUEST in item.stash:
        report.sections += item.stash[_GUEST].sections(failed=report.failed)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.stash.get(_TELLS, False):
        from harness.pytest_plugin.workers import hand_over

        hand_over(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Worker) -> None:
    """Called in the controller of pytest-xdist when a worker ended."""
    if "hil" in getattr(node, "workeroutput", {"hil": "it died"}):
        from harness.pytest_plugin.workers import take_over

        take_over(node)
        node.config.stash[_TELLS] = True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash.get(_TELLS, False):
        from harness.pytest_plugin.workers import told

        for line in told(config).lines:
            terminalreporter.write_line(f"hil: {line}")


@pytest.fixture(scope="session")
def hil_lane(request: pytest.FixtureRequest) -> Lane:
    """The kernel, architecture and engine that the test runs on."""
    chosen: Lane = request.param
    return chosen


@pytest.fixture
def hil_guest(
    request: pytest.FixtureRequest,
    hil_lane: Lane,
    _hil_machine_pool: MachinePool,
    _hil_examination: Examination | None,
) -> Iterator[LaneGuest]:
    """The guest of the lane: `run` carries out operations, `check` also compares them with the model."""
    from harness.pytest_plugin.guest import LaneGuest
    from harness.pytest_plugin.peers import Peers
    from harness.pytest_plugin.workers import told

    require = request.config.getoption("--hil-require-predicted")
    test = request.node.nodeid.replace(str(hil_lane), "")
    peers = request.config.stash.setdefault(_PEERS, {}).setdefault(test, Peers())
    with _reachable(request.config, hil_lane):
        session = _hil_machine_pool.session(hil_lane)
        guest = LaneGuest(request.node.name, hil_lane, session, request.path.parent, require, peers)
        if _hil_examination is not None:
            guest.examine = _hil_examination
    request.node.stash[_GUEST] = guest
    request.config.stash[_TELLS] = True
    told(request.config).warn(
        *(f"{hil_lane.kernel}/{hil_lane.arch}: {one}" for one in guest.model.environment.warnings)
    )
    yield guest
    told(request.config).add(guest.judged)


@pytest.fixture
def hil_model(hil_guest: LaneGuest) -> ModelExecutor:
    """The model of the lane: `run` takes a script and returns a prediction for every operation."""
    return hil_guest.model


@pytest.fixture
def hil_machine(hil_guest: LaneGuest) -> Machine:
    """The machine that the guest runs in, booted: run commands, read its console."""
    return hil_guest.machine


@pytest.fixture
def hil_debugger(
    request: pytest.FixtureRequest, hil_lane: Lane, _hil_debug_pool: MachinePool, tmp_path: Path
) -> Iterator[Debugger]:
    """The lane under gdb, on a machine of its own: `run` begins operations, and gives a session that stops at BPF
    instructions and calls of the kernel."""
    from harness.debug.bpf_session import Debugger
    from harness.debug.debuggee import debuggee_on
    from hil.gdb.command import require_python

    with _reachable(request.config, hil_lane):
        require_python()
        debuggee = debuggee_on(hil_lane, _hil_debug_pool.session(hil_lane))
    yield Debugger(debuggee, tmp_path)


@contextmanager
def _reachable(config: pytest.Config, lane: Lane) -> Iterator[None]:
    """Skips the test, or fails it, when its lane cannot be had."""
    from harness.lowering.engine import EngineUnavailable
    from hil.errors import HilError
    from hil.kernels.store import NotCached

    try:
        yield
    except (NotCached, EngineUnavailable) as error:
        if lane.kernel in _required(config):
            raise pytest.fail.Exception(f"{lane} is required: {error}", pytrace=False) from None
        pytest.skip(f"{lane}: {error}")
    except HilError as error:
        # What it came from is in its text; pytest would show every error of the chain.
        raise pytest.fail.Exception(f"{lane}: {error}\n{error.details}".strip(), pytrace=False) from None


@pytest.fixture(scope="session")
def _hil_machine_pool(pytestconfig: pytest.Config, _hil_folder: Path) -> Iterator[MachinePool]:
    from harness.pytest_plugin.machine_pool import MachinePool

    with MachinePool(_hil_folder, lambda line: _tell(pytestconfig, line)) as pool:
        yield pool


@pytest.fixture(scope="session")
def _hil_debug_pool(pytestconfig: pytest.Config, _hil_folder: Path) -> Iterator[MachinePool]:
    from harness.pytest_plugin.machine_pool import MachinePool

    with MachinePool(_hil_folder / "debug", lambda line: _tell(pytestconfig, line), for_gdb=True) as pool:
        yield pool


@pytest.fixture(scope="session")
def _hil_folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from harness.run.matrix import make_folder

    output = pytestconfig.getoption("--hil-output")
    return tmp_path_factory.mktemp("hil") if output is None else make_folder(output)


@pytest.fixture(scope="session")
def _hil_examination(pytestconfig: pytest.Config, _hil_folder: Path) -> Examination | None:
    if pytestconfig.getoption("--hil-on-divergence") is None:
        return None
    from harness.pytest_plugin.examining import Examination

    return Examination(_hil_folder, lambda line: _tell(pytestconfig, line))


def _tell(config: pytest.Config, line: str) -> None:
    """Writes a line to the terminal while pytest captures what a test prints; nothing in a worker of xdist."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is not None:
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            reporter.ensure_newline()
            reporter.write_line(f"hil: {line}")


def _required(config: pytest.Config) -> list[str]:
    from harness.lane import kernels

    return kernels(config.getoption("--hil-require"))


def _lanes(config: pytest.Config) -> tuple[Lane, ...]:
    if _CHOSEN not in config.stash:
        from harness.lane import listed, select
        from harness.run.choice import known_lanes
        from hil import settings
        from hil.errors import HilError

        given = config.getoption("--hil-lanes")
        patterns: str = config.getini("hil_lanes") if given is None else given
        try:
            settings.check()
            config.stash[_CHOSEN] = select(listed(patterns), known_lanes(listed(patterns)))
        except HilError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[_CHOSEN]
