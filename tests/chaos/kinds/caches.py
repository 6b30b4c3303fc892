# SPDX-License-Identifier: MIT
"""Faults of the cache: it is damaged, cannot be read, or cannot be written."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from hil import cache
from tests.chaos import faulty
from tests.chaos.home import KERNEL, alter
from tests.chaos.kind import THROUGH, Kind, check_record
from tests.chaos.kinds.machines import short
from tests.chaos.trial import Missing, Trial

_DEBIAN = {"x86_64": "amd64", "arm64": "arm64"}
_PARTS = {
    "guest root": "guestroots/{kernel}-{arch}-*.cpio",
    "agent": "agent/*/{arch}/hil-agent",
    "userland": "userland/*-{debian}-*/root/bin/busybox",
    "library": "userland/*-{debian}-*/root/lib/*/libc.so.6",
    "packages": "userland/*-{debian}-*/packages.json",
    "module": "kernels/{kernel}/{arch}/modules/lib/modules/*/kernel/drivers/net/virtio_net.ko*",
    "metadata": "kernels/{kernel}/{arch}/metadata.json",
    "configuration": "kernels/{kernel}/{arch}/config",
}
"""The files of the cache that a run uses, as patterns."""


class CacheAltered(Kind):
    """A bit of a file of the cache is flipped, or it is truncated: it is made again or reported, never used."""

    name = "cache-altered"
    weight = 4
    bound = THROUGH

    def inject(self, trial: Trial) -> None:
        lane = trial.lane()
        arch = lane.split("/")[1]
        part = trial.random.choice([*_PARTS])
        pattern = _PARTS[part].format(kernel=KERNEL, arch=arch, debian=_DEBIAN[arch])
        found = sorted((trial.home.cache / "hil").glob(pattern))
        if not found:
            raise Missing(f"this cache has no {part}")
        path = trial.random.choice(found)
        how = trial.random.choice(("bit", "cut", "emptied"))
        data = bytearray(path.read_bytes())
        if how == "bit":
            data[trial.random.randrange(len(data))] ^= 1 << trial.random.randrange(8)
        else:
            del data[trial.random.randrange(len(data)) if how == "cut" else 0 :]
        alter(path, bytes(data))
        trial.facts.update(part=part, how=how, path=path, data=bytes(data))
        if part != "guest root":  # otherwise its parts would not be read
            cache.remove(trial.home.cache / "hil" / "guestroots")
        trial.strike()
        trial.start(["run", "--lanes", lane, "--scripts", "lookup"])

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        path, data = trial.facts.pop("path"), trial.facts.pop("data")
        as_altered = path.exists() and path.read_bytes() == data
        if codes[0] == 0 and as_altered:
            yield "the altered file was used"
        elif codes[0] == 3 and path.name not in trial.child.output and "damaged" not in trial.child.output:
            yield f"it does not say what is damaged: {trial.child.output}"
        elif codes[0] not in (0, 3):
            yield f"exit status {codes[0]}"
        yield from check_record(trial, codes[0])


class CacheUnreadable(Kind):
    """EIO when files of the cache are opened or read: it is reported, and no unreadable file is removed."""

    name = "cache-unreadable"
    weight = 2
    bound = 60.0

    def inject(self, trial: Trial) -> None:
        part = trial.random.choice((f"kernels/{KERNEL}", "guestroots", "agent", "userland"))
        operations = trial.random.choice(("r", "i", "ir"))
        root = trial.home.cache / "hil"
        trial.facts.update(part=part, operations=operations)
        faulty.prepare(trial, errno.EIO, operations, root / part).touch()
        if part not in ("guestroots", f"kernels/{KERNEL}"):
            cache.remove(root / "guestroots")
        trial.facts["before"] = _files(root / part)
        trial.strike()
        trial.start(short(trial))

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        before = trial.facts.pop("before")
        if gone := before - _files(trial.home.cache / "hil" / trial.facts["part"]):
            yield f"gone: {', '.join(sorted(gone)[:3])}"
        if codes[0] != 3:
            yield f"exit status {codes[0]}"
        if os.strerror(errno.EIO) not in trial.child.output:
            yield f"it does not say {os.strerror(errno.EIO)!r}: {trial.child.output}"
        yield from check_record(trial, codes[0])


class CacheReadOnly(Kind):
    """A complete cache on a read-only file system: enough for a run."""

    name = "cache-read-only"
    bound = 60.0

    def prepare(self, trial: Trial) -> None:
        place = str(trial.home.cache)
        for command in (["mount", "--bind", place, place], ["mount", "-o", "remount,bind,ro", place]):
            if subprocess.run(command, capture_output=True).returncode:
                raise Missing("cannot mount a file system")

    def inject(self, trial: Trial) -> None:
        trial.strike()
        trial.start(short(trial))

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0]:
            yield f"exit status {codes[0]}"
        yield from check_record(trial, codes[0])

    def finish(self, trial: Trial) -> None:
        subprocess.run(["umount", "--lazy", str(trial.home.cache)], capture_output=True)


class SettingWrong(Kind):
    """Environment variables with invalid values: wrong usage."""

    name = "setting-wrong"
    bound = 60.0

    def inject(self, trial: Trial) -> None:
        name = trial.random.choice(("HIL_ACCELERATOR", "HIL_TIME_SCALE"))
        trial.environment[name] = trial.random.choice(("absent", "-1", "0", "nan", "kvm,tcg"))
        trial.facts["setting"] = f"{name}={trial.environment[name]}"
        trial.strike()
        trial.start(short(trial))

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] != 2:
            yield f"exit status {codes[0]}"
        if trial.facts["setting"].split("=")[0] not in trial.child.output:
            yield f"it does not name the variable: {trial.child.output}"


def _files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


KINDS = (CacheAltered, CacheUnreadable, CacheReadOnly, SettingWrong)
