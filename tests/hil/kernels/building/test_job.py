# SPDX-License-Identifier: MIT
"""Programs that fail, and process groups that must not outlive the bench."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hil.cache import Unusable
from hil.errors import BenchError
from hil.kernels.building.job import TAIL, Failed, Log, run

ENVIRONMENT = {"PATH": os.environ["PATH"]}

# make and its compilers: a shell that waits for another process, both of the same group.
FAMILY = "sleep 600 & echo $!; sleep 600"


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "state/builds/toy.log")


def sh(script: str, log: Log, step: object = None) -> None:
    run(["sh", "-c", script], cwd=log.path.parent, environment=ENVIRONMENT, log=log, step=lambda: None)


def gone(pid: int) -> bool:
    """Whether the process ended, also when it is a zombie that init has not reaped yet."""
    for _ in range(1000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_the_log_has_the_command_and_its_output(log: Log) -> None:
    sh("echo one; echo two >&2", log)
    log.close()
    assert log.path.read_text() == "+ sh -c 'echo one; echo two >&2'\none\ntwo\n"


def test_a_failure_shows_the_last_lines_and_where_the_log_is(log: Log) -> None:
    with pytest.raises(Failed, match=rf"ended with status 3; see the whole log, {log.path}") as caught:
        sh("seq 1000; exit 3", log)
    assert caught.value.details.splitlines() == [str(number) for number in range(1001 - TAIL, 1001)]


def test_a_signal_is_named(log: Log) -> None:
    with pytest.raises(Failed, match="was killed by SIGKILL"):
        sh("kill -9 $$", log)


def test_lack_of_space_is_an_error_of_its_own(log: Log) -> None:
    with pytest.raises(Unusable, match="No space left on device"):
        sh("echo 'as: cannot write toy.o: No space left on device'; exit 1", log)


def test_a_program_that_does_not_exist(log: Log) -> None:
    with pytest.raises(BenchError, match="cannot start nothing-like-it: No such file"):
        run(["nothing-like-it"], cwd=log.path.parent, environment=ENVIRONMENT, log=log, step=lambda: None)


def test_an_exception_ends_the_whole_family(log: Log) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", FAMILY], cwd=log.path.parent, environment=ENVIRONMENT, log=log, step=interrupted)
    log.close()
    assert gone(int(log.path.read_text().splitlines()[-1]))


def test_a_process_that_ignores_signals_is_killed(log: Log) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    script = f"trap '' TERM; {FAMILY}"
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", script], cwd=log.path.parent, environment=ENVIRONMENT, log=log, step=interrupted)
    log.close()
    assert gone(int(log.path.read_text().splitlines()[-1]))


def test_a_build_ends_when_we_are_killed(tmp_path: Path) -> None:
    """Its compilers end as well: they print nothing, so SIGPIPE would not end them."""
    bench = f"""
from pathlib import Path
from hil.kernels.building.job import Log, run
run(["sh", "-c", "sleep 600 & echo $$ $! > pid; wait"], cwd=Path({str(tmp_path)!r}),
    environment={ENVIRONMENT!r}, log=Log(Path({str(tmp_path / "log")!r})), step=lambda: None)
"""
    process = subprocess.Popen([sys.executable, "-c", bench])
    try:
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text().endswith("\n")):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [gone(int(number)) for number in pid.read_text().split()] == [True, True]


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "builds").write_text("a file")
    with pytest.raises(BenchError, match=r"cannot write the log .*set XDG_STATE_HOME"):
        Log(tmp_path / "builds/toy.log")
    with pytest.raises(BenchError, match=r"cannot write the log /dev/full: No space left on device"):
        Log(Path("/dev/full")).line("text")
