# SPDX-License-Identifier: MIT
"""The rules by which one kernel is judged: upstream's release, as a distribution made it, on an architecture.

era("6.1", "arm64")                         # Debian's, because lanes of 6.1 are
era("6.1", "arm64", distribution=VANILLA)   # kernel.org's
era("5.15", "x86_64")                       # between two releases that lanes have: what is known of it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from types import MappingProxyType

from harness.model.architecture import ARCHITECTURES, architecture_rules
from harness.model.distribution import Distribution, landing_pads, paranoid_any, usual
from harness.model.rules import JitFault, Upstream
from harness.model.upstream import LATEST, unchecked, upstream
from harness.model.upstream.change import Seen
from harness.release import Release, dotted, release
from hil.errors import UserError


@dataclass(frozen=True)
class Era(Upstream):
    """All rules by which one kernel is judged."""

    arch: str
    distribution: Distribution
    kprobes: bool
    """There are kprobes, and therefore programs of type KPROBE."""
    kernel_reads_checked: bool
    """Kernel reads refuse an address that is not the kernel's."""
    faults: frozenset[JitFault]
    """The known errors of the JIT."""
    jit_helpers: frozenset[int]
    """Helpers that only the JIT can call: the verifier leaves them to it."""
    deadly_helpers: frozenset[int]
    """The helpers that may crash the interpreter: the verifier leaves them to the JIT, and accepts calls of them
    without it."""
    inner_probes_panic: bool
    """A hit of a probe inside a function may crash the machine."""
    jit_counts_empty_slots: bool
    """The JIT counts a tail call before it looks into the slot, whatever those of other architectures do."""
    tail_calls_of_functions: bool
    """Programs that the JIT translates may have functions and make tail calls."""
    entry_probes: bool
    """The first instruction of a function takes a probe, though ftrace can trace the function."""
    landing_pads: bool
    """A landing pad comes before the probed instruction (if the CPU has it)."""
    settings: Mapping[str, int] = field(hash=False)
    """The values below /proc/sys when nobody has changed them."""

    @property
    def name(self) -> str:
        """Returns the release as people write it."""
        return dotted(self.release)

    @property
    def paranoid_any(self) -> int:
        """Returns the lowest perf_event_paranoid at which nobody without CAP_SYS_ADMIN opens any event."""
        return paranoid_any(self.distribution)


ERAS = tuple(map(dotted, LATEST))
"""The releases that lanes have, and that every rule was held against."""


def era(name: str, arch: str, distribution: Distribution | None = None, supposed: frozenset[Seen] = frozenset()) -> Era:
    """Returns the rules of release `name`, for example "6.1"; raises UserError when it is before the first or after the
    last release that anything is known of. `distribution` None is the one whose kernels of that release lanes have.
    `supposed` are those of `doubtful` that the release is taken to have; it is taken to be without the others.
    """
    known = known_release(name)
    return _era(known, arch, distribution or usual(known), supposed)


def doubtful(name: str, arch: str) -> tuple[Seen, ...]:
    """Returns the changes that nobody has looked up for release `name`, which may have them or not. There are none for
    `ERAS`."""
    known = known_release(name)
    return (*unchecked(known), *architecture_rules(arch).unchecked(known))


def known_release(name: str) -> Release:
    """Returns a release by its name; raises UserError when nothing is known of it."""
    wanted, first, last = release(name), min(LATEST), max(LATEST)
    if not first <= wanted <= last:
        nearest = dotted(first if wanted < first else last)
        raise UserError(f"nothing is known of Linux {name}", remedy=f"the nearest release with rules is {nearest}")
    return wanted


@cache
def _era(known: Release, arch: str, distribution: Distribution, supposed: frozenset[Seen]) -> Era:
    base, own = upstream(known, supposed), architecture_rules(arch)
    if known < own.since:
        raise UserError(
            f"there is no Linux {dotted(known)} for {arch}", remedy=f"{arch} came to Linux with {dotted(own.since)}"
        )

    def has(seen: Seen) -> bool:
        return known >= seen.since or seen in supposed

    counting = base.counts_empty_slots | ({"jit"} if own.counts_empty_slots else frozenset())
    return Era(
        **{one.name: getattr(base, one.name) for one in fields(base)} | {"counts_empty_slots": counting},
        arch=arch,
        distribution=distribution,
        kprobes=known >= own.kprobes,
        kernel_reads_checked=own.reads_checked is not None and has(own.reads_checked),
        faults=frozenset(fault for fault, mended in own.faults.items() if known < mended),
        jit_helpers=frozenset(helper for helper, seen in own.jit_helpers.items() if has(seen)),
        deadly_helpers=frozenset(
            helper for helper, (fine, refused) in own.deadly_helpers.items() if fine < known < refused
        ),
        inner_probes_panic=own.inner_probes_panic is not None and known < own.inner_probes_panic,
        jit_counts_empty_slots=own.counts_empty_slots,
        tail_calls_of_functions=own.tail_calls_of_functions is not None and has(own.tail_calls_of_functions),
        entry_probes=own.entries_traced is None or not own.entries_traced[0] <= known < own.entries_traced[1],
        landing_pads=own.pads and landing_pads(distribution, known),
        settings=MappingProxyType({**base.defaults, **distribution.of_release(base.defaults).settings}),
    )


def eras_of(arch: str) -> tuple[str, ...]:
    """Returns those of `ERAS` that have the architecture."""
    return tuple(name for name in ERAS if release(name) >= architecture_rules(arch).since)


def every_era() -> tuple[Era, ...]:
    """Returns the rules of every release that lanes have, on every architecture it has."""
    return tuple(era(name, arch) for arch in ARCHITECTURES for name in eras_of(arch))
