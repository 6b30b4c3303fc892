# SPDX-License-Identifier: MIT
"""Detaching from a stub, which a socket of the test's own plays."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hil.errors import BenchError
from hil.gdb.release import release


def stub(listening: socket.socket, answers: Sequence[bytes]) -> list[bytes]:
    """Answers one packet after the other; returns what was asked."""
    asked = []
    connection, _ = listening.accept()
    with connection:
        for answer in answers:
            asked.append(connection.recv(4096))
            connection.sendall(answer)
    return asked


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([b"+$T02thread:01;#04+$PacketSize=1000#00", b"+$OK#9a"], ""),
        ([b"+$PacketSize=1000#00", b"+$E22#a9"], "does not detach: E22"),
        ([b"+$Packet", b""], "it closed the connection"),
    ],
)
def test_a_guest_that_gdb_left_goes_on(tmp_path: Path, answers: list[bytes], said: str) -> None:
    place = tmp_path / "gdb"
    with socket.socket(socket.AF_UNIX) as listening, ThreadPoolExecutor(1) as pool:
        listening.bind(str(place))
        listening.listen()
        asked = pool.submit(stub, listening, answers if answers[-1] else answers[:1])
        if said:
            with pytest.raises(BenchError, match=said):
                release(place)
        else:
            release(place)
            assert asked.result(30) == [b"$qSupported:multiprocess+#c6", b"$D;1#b0"]


def test_a_stub_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="waiting for QEMU's gdb stub to answer"):
        release(tmp_path / "none")
