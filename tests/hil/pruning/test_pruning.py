# SPDX-License-Identifier: MIT
"""What `hil cache` shows and removes, in a cache and a state of its own."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hil import cache
from hil.errors import BenchError, UserError
from hil.pruning import kinds, superfluous
from hil.pruning.commands import command

ROOT = Path(__file__).resolve().parents[3]
DAY = 86400.0


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with `cache/hil`, in which is one kernel, and `state/hil`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    write(tmp_path / "cache/hil/kernels/debian-12/arm64/image")
    return tmp_path


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight days pass: longer than the default of --days."""
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 8 * DAY)


def write(path: Path, size: int = 5000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def pruned(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["prune", "--yes", *arguments], standalone_mode=False, catch_exceptions=False)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """Another process, which does what it is told in Python."""
    pipe, command = subprocess.PIPE, [sys.executable, "-i", "-q"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as one:
        yield one
        one.kill()


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Returns when it has done it."""
    assert process.stdin and process.stdout
    process.stdin.write(f"{line}\nprint('done', flush=True)\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def test_every_folder_of_cache_and_state_is_a_kind() -> None:
    sources = "".join(path.read_text() for part in ("hil", "harness") for path in (ROOT / part).rglob("*.py"))
    for place, known in (("cache", kinds.CACHED), ("state", kinds.KEPT)):
        named = set(re.findall(rf'directories\.{place}\(\) / "([\w.]+)"', sources))
        assert named and named <= {kind.name for kind in known}, place


def test_what_is_kept_is_shown_by_kind(place: Path) -> None:
    write(place / "cache/hil/states/debian-12-arm64-0123/state", 100_000)
    write(place / "state/hil/runs/2026/results.json")
    rows = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert [(row["kind"], row["entries"]) for row in rows] == [("kernels", 1), ("states", 1), ("runs", 1)]
    assert 100_000 <= rows[1]["bytes"] < 110_000
    shown = CliRunner().invoke(command).stdout
    assert "saved machines" in shown and shown.splitlines()[-1].endswith("in all")


def test_kernels_are_counted_by_architecture(place: Path) -> None:
    for arch in ("x86_64", "arm64"):
        write(place / f"cache/hil/kernels/other/{arch}/kernel")
    before = [one.entries for one in kinds.usage() if one.kind.name == "kernels"]
    write(place / "cache/hil/kernels/other/riscv64/kernel")
    assert [one.entries for one in kinds.usage() if one.kind.name == "kernels"] == [before[0] + 1] and before[0] >= 2


def test_what_is_lost_when_it_is_removed_is_told() -> None:
    assert not any("never" in kind.again for kind in (*kinds.CACHED, *kinds.KEPT))
    pruned = {kind.name for kind in kinds.KEPT if "hil cache prune removes old ones" in kind.again}
    assert pruned == {"runs", "debug"}


def test_a_file_with_two_names_counts_once(place: Path) -> None:
    one = write(place / "cache/hil/userland/one", 100_000)
    (one.parent / "two").hardlink_to(one)
    (usage,) = (row for row in kinds.usage() if row.kind.name == "userland")
    assert usage.entries == 2 and usage.size < 110_000


def test_debug_symbols_go_with_their_image_and_when_they_were_not_used(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, old, here = (
        write(place / f"cache/hil/debug-symbols/debian-{one}/vmlinux").parent
        for one in ("13-arm64-0123", "12-arm64-0123", "12-arm64-4567")
    )
    monkeypatch.setattr("hil.kernels.debug_symbols.needed", lambda: iter(["debian-12-arm64-4567"]))
    done = pruned("debug-symbols")
    assert "its kernel is gone" in done.stdout and "its kernel was replaced" in done.stdout
    assert not gone.exists() and not old.exists() and here.exists()
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 8 * DAY)
    assert "not used for 8 days" in pruned().stdout
    assert not here.exists()


def test_debug_symbols_stay_when_this_process_cannot_read_of_which_kernel_they_are(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = write(place / "cache/hil/debug-symbols/debian-12-arm64-4567/vmlinux").parent

    def without_descriptors(_: Path) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("pathlib.Path.read_bytes", without_descriptors)
    error = CliRunner().invoke(command, ["prune", "--yes", "debug-symbols"]).exception
    assert isinstance(error, BenchError) and "Too many open files" in str(error)
    assert here.exists()


@pytest.mark.parametrize("kind", ["states", "symbols"])
def test_what_a_kernel_left_behind_is_removed_and_the_rest_stays(kind: str, place: Path) -> None:
    gone = write(place / f"cache/hil/{kind}/debian-13-arm64-0123/file").parent
    here = write(place / f"cache/hil/{kind}/debian-12-arm64-4567/file").parent
    done = pruned()
    assert "its kernel is gone" in done.stdout
    assert not gone.exists() and here.exists()


def test_read_only_folders_of_the_cache_are_removed_too(place: Path) -> None:
    gone = write(place / "cache/hil/states/debian-13-arm64-0123/state").parent
    cache.freeze(gone)
    pruned("states")
    assert not gone.exists()


def test_a_guest_root_goes_with_its_kernel_but_not_while_its_machine_starts(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = write(place / "cache/hil/guestroots/debian-13-arm64-0123.cpio")
    here = write(place / "cache/hil/guestroots/debian-12-arm64-0123.cpio")
    assert pruned("--days", "0").stdout == "nothing to remove\n"
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 2 * 3600)
    pruned()
    assert not gone.exists() and here.exists()


@pytest.mark.usefixtures("later")
def test_what_was_not_used_for_long_is_removed(place: Path) -> None:
    old = [
        write(place / "cache/hil/guestroots/debian-12-arm64-0123.cpio"),
        write(place / "state/hil/guestroots/bare-arm64-0123.cpio"),
        write(place / "cache/hil/states/debian-12-arm64-4567/state").parent,
        write(place / "state/hil/runs/2026-01-01/results.json").parent,
        write(place / "cache/hil/objects/package_1_amd64/probe.o").parent,
    ]
    latest = write(place / "state/hil/runs/2026-01-02/results.json").parent
    (latest.parent / "latest").symlink_to(latest.name)
    assert pruned("--days", "9").stdout == "nothing to remove\n"
    pruned()
    assert not [path for path in old if path.exists()]
    assert latest.exists() and (place / "cache/hil/kernels/debian-12/arm64/image").exists()


def test_packages_are_removed_and_lists_stay(place: Path) -> None:
    package = write(place / "cache/hil/debian/bookworm-arm64/packages/linux.deb")
    lists = write(place / "cache/hil/debian/bookworm-arm64/var/lib/apt/lists/Packages")
    pruned("packages")
    assert not package.exists() and lists.exists()


def test_what_a_killed_process_left_is_removed(place: Path) -> None:
    left = write(place / "cache/hil/kernels/debian-12/.x86_64.new-abc/image").parent
    pruned()
    assert not left.exists()


@pytest.mark.parametrize(
    ("name", "guarded"),
    [
        ("cache/hil/states/debian-13-arm64-0123/state", "cache/hil/states/debian-13-arm64-0123"),
        ("cache/hil/debian/bookworm-arm64/packages/linux.deb", "cache/hil/debian/bookworm-arm64"),
        ("cache/hil/kernels/debian-12/.x86_64.new-abc/image", "cache/hil/kernels/debian-12/x86_64"),
    ],
)
def test_what_another_process_has_locked_stays(
    name: str, guarded: str, place: Path, process: subprocess.Popen[str]
) -> None:
    file, lock = write(place / name), (place / guarded).with_name(f".{Path(guarded).name}.lock")
    tell(process, f"import filelock; held = filelock.FileLock({str(lock)!r}); held.acquire() and None")
    assert "in use, stays" in pruned().stdout
    assert file.exists()
    tell(process, "held.release()")
    pruned()
    assert not file.exists()


def test_the_state_of_a_kernel_that_is_just_being_fetched_stays(place: Path, process: subprocess.Popen[str]) -> None:
    state = write(place / "cache/hil/states/debian-13-arm64-0123/state")
    lock = write(place / "cache/hil/kernels/debian-13/.arm64.lock", 0)
    tell(process, f"import filelock; held = filelock.FileLock({str(lock)!r}); held.acquire() and None")
    assert pruned().stdout == "nothing to remove\n"
    assert state.exists()


@pytest.mark.usefixtures("later")
def test_a_run_that_still_writes_stays(place: Path, process: subprocess.Popen[str]) -> None:
    log = write(place / "state/hil/runs/2026-01-01/hil.log")
    tell(process, f"file = open({str(log)!r}, 'a')")
    assert "in use, stays" in pruned().stdout
    assert log.exists()


@pytest.mark.usefixtures("later")
def test_a_campaign_that_is_not_through_is_told_as_one(place: Path) -> None:
    for name, files in (("1", ("campaign.json",)), ("2", ("campaign.json", "results.json"))):
        for file in files:
            write(place / "state/hil/runs" / name / file)
    told = {one.path.name: one.why for one in superfluous.superfluous({"runs": superfluous.KINDS["runs"]}, 7)}
    assert told == {"1": "8 days old, an unfinished campaign", "2": "8 days old"}


def test_a_dry_run_removes_nothing(place: Path) -> None:
    file = write(place / "cache/hil/states/debian-13-arm64-0123/state")
    done = CliRunner().invoke(command, ["prune", "--dry-run"])
    assert str(file.parent) in done.stdout and file.exists()


def test_nothing_is_removed_where_nobody_can_be_asked(place: Path) -> None:
    file = write(place / "cache/hil/states/debian-13-arm64-0123/state")
    with pytest.raises(UserError, match="give --yes"):
        CliRunner().invoke(command, ["prune"], standalone_mode=False, catch_exceptions=False)
    assert file.exists()


def test_what_came_back_while_the_question_was_open_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(place / "cache/hil/states/debian-13-arm64-0123/state")
    monkeypatch.setattr("hil.pruning.commands._ask", lambda: write(place / "cache/hil/kernels/debian-13/arm64/image"))
    CliRunner().invoke(command, ["prune"], catch_exceptions=False)
    assert file.exists()


def test_what_is_gone_already_is_no_error(place: Path) -> None:
    file = write(place / "cache/hil/states/debian-13-arm64-0123/state")
    (one,) = superfluous.superfluous(superfluous.KINDS, 7)
    cache.remove(file.parent)
    assert superfluous.remove(one) is None
