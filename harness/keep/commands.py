# SPDX-License-Identifier: MIT
"""`hil boot`, `hil shell` and `hil cp`: machines for people."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
import paramiko

from harness.jobs import completing
from harness.keep.home import MODULE, Kept, everyone, home, kept, named, stop
from harness.keep.process import hold
from harness.lane import Lane, select
from harness.loader.rooted import Surroundings, surroundings_options
from harness.run.choice import known_lanes
from harness.session import LineListener
from hil import copying, programs, terminal
from hil.errors import BenchError, HilError, MachineLost, UserError
from hil.machine.ssh import Connection, Credentials, connect

PROCESS = (sys.executable, "-P", "-m", MODULE)
_LOGIN = 30.0
_QUIET = 600.0
"""Seconds without a byte after which a copy is given up."""


def _one_lane(pattern: str) -> Lane:
    """The lane that a pattern means: of several, the first, so that `debian-12/arm64` is enough."""
    return select([pattern], known_lanes([pattern]))[0]


@click.command()
@click.argument("lane", required=False, shell_complete=completing.lane)
@click.option("--keep", is_flag=True, help="Return when it is up; it ends by --stop, or when its --hours are over.")
@click.option("--hours", default=8.0, show_default=True, type=click.FloatRange(0.01, 168), help="Its life time.")
@click.option("--list", "listing", is_flag=True, help="List the machines that are up.")
@click.option("--stop", "stopping", is_flag=True, help="End the machine of LANE, or every one, and boot nothing.")
@surroundings_options
def boot(
    lane: str | None,
    keep: bool,
    hours: float,
    listing: bool,
    stopping: bool,
    root: str | None,
    packages: str,
    headers: bool,
    memory: int | None,
) -> int:
    """Boot a machine of LANE and print the SSH command that logs in; it ends with Ctrl-C, or stays up with --keep."""
    if listing:
        for one in everyone():
            click.echo(f"{one.lane}: until {one.ends}, process {one.pid}: {shlex.join(one.access.ssh)}")
        return 0
    if stopping:
        for one in [named(str(_one_lane(lane)))] if lane else list(everyone()):
            stop(one)
            click.echo(f"stopped {one.lane}")
        return 0
    if lane is None:
        raise UserError("no lane is named", remedy="write hil boot debian-12/x86_64/jit, or --list")
    surroundings = Surroundings.of(root, packages, headers, memory)
    chosen = _one_lane(lane)
    if keep:
        _tell(_started(chosen, surroundings, 3600 * hours))
        click.echo(f"it ends by `hil boot --stop {chosen}`, or by itself at {named(str(chosen)).ends}")
        return 0
    with tempfile.TemporaryDirectory(prefix="hil-boot-") as folder:
        hold(chosen, surroundings, Path(folder), 3600 * hours, _tell, LineListener(click.echo))
    return 0


@click.command()
@click.argument("lane", shell_complete=completing.lane)
@surroundings_options
def shell(lane: str, root: str | None, packages: str, headers: bool, memory: int | None) -> int:
    """Log in to the machine of LANE that is up, or to a new one that ends with the shell.

    Exit status: that of the shell.
    """
    programs.require("ssh", "openssh-client")
    chosen = _one_lane(lane)
    if found := kept(str(chosen)):
        return subprocess.run(found.access.ssh, check=False).returncode
    surroundings = Surroundings.of(root, packages, headers, memory)
    status = 0

    def log_in(machine: Kept) -> None:
        nonlocal status
        status = subprocess.run(machine.access.ssh, check=False).returncode

    console = terminal.console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="hil-shell-") as folder:
        hold(chosen, surroundings, Path(folder), 0.0, log_in, LineListener(console.print))
    return status


@click.command()
@click.argument("sources", nargs=-1, required=True)
@click.argument("target")
def cp(sources: tuple[str, ...], target: str) -> int:
    """Copy files and folders to or from a machine that is up: SOURCES and TARGET may be LANE:PATH.

    TARGET is a folder. A machine's /hil is also in its --root.
    """
    to, from_ = _place(target), [_place(source) for source in sources]
    if to is not None and not any(from_):
        machine, folder = to
        files = copying.named(map(Path, sources))
        with _connected(machine) as connection:
            done = connection.run(["mkdir", "-p", folder], timeout=_LOGIN)
            if done.status:
                raise UserError(f"cannot make {folder} there", remedy=done.stderr.decode(errors="replace").strip())
            copying.to_target(connection, files, folder)
        return 0
    found = [one for one in from_ if one is not None]
    if to is not None or len(found) < len(from_):
        raise UserError("files are copied to a machine or from one", remedy="write hil cp FILE LANE:/hil")
    folder_here = Path(target)
    if not folder_here.is_dir():
        raise UserError(f"there is no folder {target} on this host", remedy="make it first")
    copying.named(Path(path) for _, path in found)  # none is to replace another one
    for machine, path in found:
        with _connected(machine) as connection:
            if copying.from_target(connection, [path], folder_here):
                raise UserError(f"there is no {path} on {machine.lane}", remedy="look with `hil shell`")
    return 0


def _place(text: str) -> tuple[Kept, str] | None:
    """The machine and the path that LANE:PATH means; None for a path of this host."""
    lane, colon, path = text.partition(":")
    if not colon or lane.startswith((".", "/")) or Path(text).exists():
        return None
    return named(str(_one_lane(lane))), path or "/hil"


@contextmanager
def _connected(machine: Kept) -> Iterator[Connection]:
    """Yields a connection to a machine that is up."""

    def explain(what: str) -> MachineLost:
        return MachineLost(f"the machine of {machine.lane}: {what}", remedy="see `hil boot --list`")

    credentials = Credentials.load(Path(machine.access.key), machine.access.host_key)
    address = ("127.0.0.1", machine.access.port)
    try:
        connection = connect(address, credentials, timeout=_LOGIN, patience=_QUIET, explain=explain)
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise explain(str(error) or type(error).__name__) from error
    try:
        yield connection
    finally:
        connection.close()


def _tell(machine: Kept) -> None:
    click.echo(f"{machine.lane} is up: {shlex.join(machine.access.ssh)}")


def _started(lane: Lane, surroundings: Surroundings, seconds: float) -> Kept:
    """Starts the background process of a machine; raises UserError when there is one already, the error of the other
    process when it does not come up."""
    folder = home(str(lane))
    if found := kept(str(lane)):
        raise UserError(f"a machine of {lane} is up already, until {found.ends}", remedy=f"hil boot --stop {lane}")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*PROCESS, str(lane), str(seconds), json.dumps(asdict(surroundings))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            start_new_session=True,  # it outlives this command, and Ctrl-C here is not for it
        )
    assert process.stdout is not None
    try:
        with process.stdout:
            line = process.stdout.readline()
    except BaseException:
        process.terminate()  # whoever interrupts the start does not want the machine
        process.wait()
        raise
    if not line:
        raise BenchError(f"the machine of {lane} did not start (status {process.wait()})", remedy=f"see {folder}/log")
    if wrong := json.loads(line):
        error = HilError(wrong["what"], remedy=wrong["remedy"], details=wrong["details"])
        error.exit_status = wrong["status"]
        raise error
    return named(str(lane))
