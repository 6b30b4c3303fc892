# SPDX-License-Identifier: MIT
"""The greeting: one batch that asks a kernel for everything it reports of itself, and the reader of its result."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass

from harness.abi.numbers import O_RDONLY
from harness.lowering import settings
from harness.lowering.context import Guest, Lowering
from harness.script.surroundings import ReadSetting
from hil.agent.builder import BatchBuilder
from hil.agent.results import BatchResult, Hello
from hil.agent.steps import Batch
from hil.errors import BenchError
from hil.facts import Facts
from hil.kernels.configuration import options

_LONGEST_NAME = 256
"""The bytes of a line; names of uname(2) have 64 at most."""
_LONGEST_CONFIGURATION = 1 << 20
"""The bytes of /proc/config.gz, which has 20 to 80 thousand."""

Content = Callable[[BatchResult], bytes | None]


@dataclass(frozen=True)
class Greeting:
    """The batch that is sent, and the reader that makes facts of the answer and of the agent's hello."""

    batch: Batch
    facts: Callable[[BatchResult, Hello], Facts]


def greeting(guest: Guest, paths: Collection[str], deadline: float) -> Greeting:
    """Asks for the numbers in `paths`, which are files below /proc/sys, and for everything else that `Facts` has.

    Reading the answer raises BenchError when there is no procfs: nothing would then be known of the kernel.
    """
    lowering = Lowering(guest, "greeting", BatchBuilder())
    numbers = {path: settings.read(lowering, ReadSetting(path)) for path in sorted(paths)}
    hostname, version = (_file(lowering, f"/proc/sys/kernel/{name}", _LONGEST_NAME) for name in ("hostname", "version"))
    configuration = _file(lowering, "/proc/config.gz", _LONGEST_CONFIGURATION)
    kprobes = _file(lowering, f"{guest.tracing}/kprobe_events", 1)

    def facts(results: BatchResult, hello: Hello) -> Facts:
        if (told := version(results)) is None:
            raise BenchError("the target has no /proc/sys/kernel/version", remedy="mount its procfs on /proc")
        seen = {path: read(results).value for path, read in numbers.items()}
        return Facts(
            release=hello.release,
            version=_line(told),
            machine=hello.machine,
            hostname=_line(hostname(results)),
            page_size=hello.page_size,
            cpus=hello.cpus,
            settings={path: value for path, value in seen.items() if isinstance(value, int)},
            kprobes=kprobes(results) is not None,
            options=_options(configuration(results)),
        )

    return Greeting(lowering.builder.build(deadline), facts)


def _file(lowering: Lowering, path: str, most: int) -> Content:
    """Reads the first `most` bytes of a file, as one read(2) returns them; None where there is no such file."""
    room = lowering.builder.alloc(most)
    opened = lowering.open(path, O_RDONLY)
    with lowering.builder.unless_failed(opened):
        length = lowering.call("read", opened, room, most)
        lowering.call("close", opened)
        with lowering.builder.unless_failed(length):
            content = lowering.builder.read(room, length, most)

    def read(results: BatchResult) -> bytes | None:
        if results.done(opened).errno or results.done(length).errno:
            return None
        return results.done(content).data

    return read


def _line(content: bytes | None) -> str:
    return (content or b"").decode(errors="replace").strip()


def _options(compressed: bytes | None) -> dict[str, str] | None:
    """Returns the options; None also for what is no configuration, as if the kernel showed none."""
    try:
        return options(gzip.decompress(compressed or b"").decode(errors="replace")) or None
    except (OSError, EOFError, zlib.error):
        return None
