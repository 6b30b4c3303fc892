# SPDX-License-Identifier: MIT
"""`hil kernels build` as people and CI call it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hil.errors import BenchError, UserError
from hil.kernels import catalogue
from hil.kernels.commands import kernels

from .conftest import Server, sources


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(kernels, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_help_names_time_and_space() -> None:
    text = run("build", "--help").stdout
    for word in ("--arch", "--tarball", "--jobs", "--again", "sha256", "2.5 GB"):
        assert word in " ".join(text.split())


def test_another_tarball_is_refused(host: Path, tmp_path: Path) -> None:
    own = tmp_path / "linux-4.1.52.tar.xz"
    own.write_bytes(b"not it")
    with pytest.raises(UserError, match=r"is not linux-4\.1\.52\.tar\.xz: its sha256 is"):
        run("build", "linux-4.1", "--arch", "x86_64", "--tarball", str(own))


def test_a_build(host: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content = sources()
    monkeypatch.setattr(catalogue, "entry", lambda _: server.entry())
    assert run("build", "linux-4.1", "--arch", "x86_64").stdout.startswith("linux-4.1/x86_64: Linux 4.1.52 (4.1.52) in")
    [shown] = json.loads(run("show", "linux-4.1", "--json").stdout)
    assert shown["provenance"]["source"] == "built"
    rows = {f"{row['name']}/{row['arch']}": row for row in json.loads(run("list", "--json").stdout)}
    assert rows["linux-4.1/x86_64"]["state"] == "cached"
    assert rows["linux-4.1/arm64"]["state"] == "not available: build or import it"


def test_all_compilers_are_looked_for_before_the_first_build(
    host: Path, cached: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content = sources()
    monkeypatch.setattr(catalogue, "entry", lambda _: server.entry())
    hide(monkeypatch, "aarch64-linux-gnu-gcc")
    with pytest.raises(BenchError, match="for arm64: aarch64-linux-gnu-gcc not installed"):
        run("build", "linux-4.1")
    assert not list(cached.glob("*/*"))


def hide(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **more: None if name == program else which(name, **more))


def test_what_is_missing_names_both_ways(host: Path) -> None:
    with pytest.raises(
        UserError, match=r"`hil kernels build linux-4.1 --arch arm64`, or .*`hil kernels import linux-4.1"
    ):
        run("fetch", "linux-4.1", "--arch", "arm64")


def test_sigterm_leaves_nothing(host: Path, cached: Path, server: Server, tmp_path: Path) -> None:
    server.content = sources(rule=f"sh -c 'echo $$$$ > {tmp_path}/pid'; sleep 600")
    source = server.entry().source
    bench = f"""
from hil.cli import main
from hil.kernels import catalogue
from hil.kernels.catalogue import Entry, Tarball
catalogue.entry = lambda name: Entry(name, "4.1", "4.1", {source!r})
main()
"""
    command = [sys.executable, "-c", bench, "kernels", "build", "linux-4.1", "--arch", "x86_64"]
    process = subprocess.Popen(command, env=dict(os.environ), stderr=subprocess.DEVNULL)
    try:
        while not (tmp_path / "pid").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
    assert [path.name for path in cached.glob("*/*")] == [".x86_64.lock"]
