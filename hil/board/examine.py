# SPDX-License-Identifier: MIT
"""What a board is, read over SSH without changing anything: its kernel and the records to judge it by."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hil import directories
from hil.arch import Architecture, architectures
from hil.board.address import Address
from hil.board.login import log_in
from hil.errors import BenchError, MachineLost, UserError
from hil.kernels import catalogue, configuration, distributions
from hil.kernels.kernel import Kernel
from hil.machine import speed
from hil.machine.ssh import Connection
from hil.whole import write_whole

TYPES = "/sys/kernel/btf/vmlinux"
_ASK = f"""
for part in m r v; do uname -$part; done
id -u; id -un
cat /proc/sys/kernel/unprivileged_bpf_disabled 2>/dev/null || echo none
[ -e {TYPES} ] && echo BTF || echo "no BTF"
[ -e /proc/sys/net/core/bpf_jit_enable ] && echo "a JIT with a switch" || echo "no switch of a JIT"
cat /sys/devices/system/cpu/online /sys/devices/system/cpu/possible
"""
_CONFIG = """
modules=/lib/modules/$1
for file in /proc/config.gz /boot/config-$1 $modules/config /usr$modules/config $modules/build/.config; do
    [ -r "$file" ] && exec cat "$file"
done
exit 1
"""
_SECONDS = 30.0


@dataclass(frozen=True)
class Examined:
    """A board's kernel with the records that it is judged by, and `told`, what was found, in sentences for the user.

    `like` is the kernel of the catalogue that has the same records; empty when none has. `cpus` are those that the
    kernel may bring up.
    """

    kernel: Kernel
    told: tuple[str, ...]
    like: str
    cpus: int


def examine(address: Address, ssh_config: Path | None = None, config: Path | None = None) -> Examined:
    """Read what the board is. `config` is the configuration of its kernel, needed where the board does not show it.

    Raises UserError when nobody can log in as root, the architecture is not supported, or the configuration is needed.
    """
    seconds = _SECONDS * speed.scale()
    with _connected(address, ssh_config, seconds) as connection:
        return _examined(address, connection, config, seconds)


def types(address: Address, ssh_config: Path | None = None) -> bytes:
    """The types of the board's running kernel (/sys/kernel/btf/vmlinux, BTF); empty when it has none. Errors as
    `hil.board.login.log_in`, and MachineLost when the board does not answer any more."""
    seconds = _SECONDS * speed.scale()
    with _connected(address, ssh_config, seconds) as connection:
        return connection.run(["cat", TYPES], timeout=10 * seconds).stdout


def content(address: Address, path: str, ssh_config: Path | None = None) -> bytes | None:
    """What a file of the board has; None when it cannot be read. Errors as `types`."""
    seconds = _SECONDS * speed.scale()
    with _connected(address, ssh_config, seconds) as connection:
        done = connection.run(["cat", path], timeout=10 * seconds)
    return None if done.status else done.stdout


@contextmanager
def _connected(address: Address, ssh_config: Path | None, seconds: float) -> Iterator[Connection]:
    line = log_in(address, ssh_config)
    try:
        yield Connection(line.transport, line.close, patience=seconds, explain=MachineLost)
    finally:
        line.close()


def _examined(address: Address, connection: Connection, config: Path | None, seconds: float) -> Examined:
    said = connection.run(["sh", "-c", _ASK], timeout=seconds).stdout.decode(errors="replace").splitlines()
    if len(said) < 10:
        raise BenchError(f"{address} has no shell that says what it is", remedy="it needs sh, uname and id")
    machine, release, version, uid, user, unprivileged, btf, jit, cpus, possible = said[:10]
    arch = _architecture(address, machine)
    if uid != "0":
        may = "load socket filters at most" if unprivileged == "0" else "load no program"
        raise UserError(
            f"{address}: {user} is not root, and may {may} there (kernel.unprivileged_bpf_disabled is {unprivileged})",
            remedy=f"log in as root: --target ssh://root@{address.place}",
        )
    text = _configuration(address, connection, release, config, seconds)
    folder = directories.state() / "boards" / address.place.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    # Another run may read another kernel's at the same address.
    file = folder / f"config-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    write_whole(file, text)
    read = configuration.read(config or file)
    number = read.version or ".".join(map(str, catalogue.numbers(release)))
    options = configuration.options(text)
    detected, why = distributions.detect(options, version)
    kernel = Kernel(
        name=address.name,
        arch=arch,
        folder=folder,
        image=folder / "image",
        config=file,
        modules=None,
        vmlinux=None,
        system_map=None,
        release=release,
        version=number,
        era=catalogue.era_of(number),
        provenance={
            "source": "board",
            "address": str(address),
            "judged": {"whose": detected.name, "distribution": why},
        },
        distribution=None if detected == distributions.detect(options)[0] else detected,
    )
    told = (
        f"{address.name}: Linux {release} {version} for {arch}; {btf}, {jit}, CPUs {cpus}",
        f"judged by the rules of {kernel.era}, {detected.name}'s: {why}",
    )
    return Examined(kernel, told, _like(kernel, detected.name), count_cpus(possible))


def count_cpus(ranges: str) -> int:
    """The number of CPUs in a list of the kernel's, such as `0-3,6`."""
    ends = (part.partition("-") for part in ranges.split(","))
    return sum(int(last or first) - int(first) + 1 for first, _, last in ends)


def _architecture(address: Address, machine: str) -> Architecture:
    for arch in architectures().values():
        if machine in arch.host_machines:
            return arch
    known = ", ".join(machine for arch in architectures().values() for machine in arch.host_machines)
    raise UserError(f"{address} is a {machine}, for which there is no agent", remedy=f"there are agents for {known}")


def _configuration(address: Address, connection: Connection, release: str, given: Path | None, seconds: float) -> str:
    if given is not None:
        return given.read_text(errors="replace")
    content = connection.run(["sh", "-c", _CONFIG, "config", release], timeout=seconds).stdout
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise BenchError(f"{address}: its /proc/config.gz is damaged: {error}") from None
    if not content:
        raise UserError(
            f"{address} does not show the configuration of its kernel, neither in /proc/config.gz nor in /boot",
            remedy="name the .config of its build: --target-config FILE",
        )
    return content.decode(errors="replace")


def _like(kernel: Kernel, whose: str) -> str:
    return next(
        (
            name
            for name, known in catalogue.entries().items()
            if known.era == kernel.era and distributions.of_catalogue(known.era).name == whose
        ),
        "",
    )
