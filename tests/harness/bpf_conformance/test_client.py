# SPDX-License-Identifier: MIT
"""The life of a background process: started once, kept, ended by silence or by order."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import tests
from harness.bpf_conformance import client
from harness.bpf_conformance.home import Home, home, homes
from harness.bpf_conformance.request import Request
from harness.isa.text import assemble
from hil.errors import BenchError
from tests.harness.bpf_conformance.processes import gone
from tests.harness.bpf_conformance.stand_in import STARTS

ROOT = Path(tests.__file__).parent.parent


def request(length: int) -> Request:
    return Request(assemble("r0 = 0\n" * (length - 1) + "exit"), b"")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """The home of a lane, so deep that its socket's path is longer than the kernel takes."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ("deep" * 30)))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(client, "SERVER", (sys.executable, "-m", "tests.harness.bpf_conformance.stand_in"))
    made = home("debian-12/x86_64/jit")
    yield made
    client.stop(made)


def starts(place: Home) -> int:
    return len((place.folder / STARTS).read_text().splitlines())


def pid(place: Home) -> int:
    return int(place.pid.read_text())


def test_many_calls_have_one_process_of_its_own_session(place: Home) -> None:
    assert [client.ask(place, request(length), 60) for length in (1, 5, 9)] == [1, 5, 9]
    assert starts(place) == 1
    assert os.getsid(pid(place)) != os.getsid(0)
    assert list(homes()) == [place]


def test_whoever_starts_it_hears_in_what_the_kernel_differs(place: Home, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        client.ask(place, request(1), 60)
    assert capfd.readouterr().err == "warning: debian-12/x86_64/jit: it is not as it should be\n"


def test_two_calls_at_once_start_one(place: Home) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda length: client.ask(place, request(length), 60), (5, 6, 7, 8))) == [5, 6, 7, 8]
    assert starts(place) == 1


def test_silence_ends_it_and_the_next_call_starts_another(place: Home) -> None:
    client.ask(place, request(1), 0.2)
    first = pid(place)
    assert gone(first)
    assert not place.endpoint.exists() and not place.pid.exists()
    assert client.ask(place, request(1), 60) == 1
    assert starts(place) == 2


def test_stop_ends_it(place: Home) -> None:
    client.ask(place, request(1), 60)
    process = pid(place)
    assert client.stop(place)
    assert gone(process)
    assert not place.endpoint.exists() and not place.pid.exists()
    assert not client.stop(place)


def test_a_number_that_is_another_process_now_is_not_killed(place: Home) -> None:
    place.make()
    place.pid.write_text(str(os.getpid()))
    assert not client.stop(place)


def test_one_that_was_killed_is_replaced(place: Home) -> None:
    client.ask(place, request(1), 60)
    process = pid(place)
    os.kill(process, signal.SIGKILL)
    assert gone(process)
    assert client.ask(place, request(5), 60) == 5
    assert starts(place) == 2


def test_errors_come_as_they_were(place: Home) -> None:
    with pytest.raises(client.Failed, match="two is not to my taste") as failed:
        client.ask(place, request(2), 60)
    assert (failed.value.exit_status, failed.value.details) == (1, "the log")
    with pytest.raises(client.Failed, match="internal error: ZeroDivisionError"):
        client.ask(place, request(3), 60)
    assert client.ask(place, request(1), 60) == 1
    assert starts(place) == 1


def test_one_that_dies_of_every_call_is_told(place: Home) -> None:
    with pytest.raises(BenchError, match="ended 3 times when it was called"):
        client.ask(place, request(4), 60)


def test_a_start_that_fails_is_told_and_leaves_nothing(place: Home) -> None:
    place.make()
    (place.folder / "broken").touch()
    with pytest.raises(client.Failed, match="cannot boot; buy another one") as failed:
        client.ask(place, request(1), 60)
    assert failed.value.exit_status == 3
    deadline = time.monotonic() + 60
    while place.pid.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not place.pid.exists()


def test_a_start_that_crashes_is_told(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SERVER", (sys.executable, "-c", "raise SystemExit('no luck')"))
    with pytest.raises(BenchError, match=r"did not start \(status 1\)") as failed:
        client.ask(place, request(1), 60)
    assert "no luck" in failed.value.details


def test_a_caller_that_leaves_or_talks_nonsense_disturbs_nobody(place: Home) -> None:
    client.ask(place, request(1), 60)
    place.connect().close()
    with place.connect() as connection:
        connection.sendall(b"nonsense")
        connection.shutdown(socket.SHUT_WR)
        assert b"internal error" in connection.recv(65536)
    assert client.ask(place, request(5), 60) == 5
    assert starts(place) == 1
