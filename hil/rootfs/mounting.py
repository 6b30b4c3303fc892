# SPDX-License-Identifier: MIT
"""Mounts a root file system in a guest, with all that programs look for below it."""

from __future__ import annotations

from hil.errors import BenchError
from hil.target import Target

ROOT, KERNEL = "root", "kernel"
"""The serial numbers of the disks."""
PLACE = "/mnt/root"

_SCRIPT = r"""
place=$1
shift
failed() {
	echo "$1" >&2
	exit 1
}
disk() {
	for each in /sys/block/vd*; do
		if [ "$(cat "$each/serial")" = "$1" ]; then echo "/dev/${each##*/}"; fi
	done
}
mkdir -p "$place"
mount -t ext4 "$(disk root)" "$place" || failed "cannot mount the root file system"
for each in proc sys dev tmp run; do mkdir -p "$place/$each"; done
for each in proc sys dev; do mount -o rbind "/$each" "$place/$each" || failed "cannot mount $each in it"; done
for each in tmp run; do mount -t tmpfs tmpfs "$place/$each" || failed "cannot mount $each in it"; done
for each; do mkdir -p "$place$each" && mount -o bind "$each" "$place$each" || failed "cannot mount $each in it"; done
if [ -n "$(disk kernel)" ]; then
	release=$(uname -r)
	mkdir -p "$place/usr/src" "$place/lib/modules"
	mount -t ext4 "$(disk kernel)" "$place/usr/src" || failed "cannot mount the kernel's headers"
	ln -sfn "/usr/src/modules-$release" "$place/lib/modules/$release" || failed "no link to the kernel's modules"
fi
"""


def mount(target: Target, *shared: str) -> str:
    """Mounts the disk ROOT, and below it /proc, /sys and /dev as the guest has them, an empty /tmp and /run, the
    folders `shared`, and the disk KERNEL where there is one; returns the path. Raises BenchError when it fails."""
    done = target.run(["sh", "-c", _SCRIPT, "mount", PLACE, *shared])
    if done.status:
        raise BenchError(
            "cannot mount the root file system in the guest",
            remedy="see the messages below, and the console log",
            details=done.stderr.decode(errors="replace"),
        )
    return PLACE
