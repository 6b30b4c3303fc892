# SPDX-License-Identifier: MIT
"""What the model has to know of the lane that it predicts for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from harness.abi.capabilities import Capability
from harness.abi.pt_regs import PtRegs, pt_regs
from harness.counting import counted
from harness.lane import Engine
from harness.model.distribution import Distribution, configured
from harness.model.eras import Era, doubtful, era
from harness.model.rules import FunctionFault, JitFault
from harness.model.upstream.change import Seen
from harness.release import READ, RUN, dotted
from harness.script.needs import FIRST_CPU
from hil.facts import Facts
from hil.kernels.configuration import options_of
from hil.kernels.distributions import of_kernel
from hil.kernels.kernel import Kernel

ROOT = frozenset(Capability)
_NAMED = 3
"""The highest number of configuration options that a sentence names."""


@dataclass(frozen=True)
class Environment:
    """The facts about one lane. `era` is the release ("6.1"), `arch` as in images/architectures.toml, `engine` "interp"
    or "jit".

    `version_code` is the kernel's LINUX_VERSION_CODE, `cpus` the number of possible CPUs, `cpu` the one that the
    calling thread runs on, `page_size` in bytes. `uid` and `capabilities` are those that a script begins with.

    `symbols` are the functions that can be probed, where they are known (System.map); None when they are not.
    `distribution` made the kernel; None stands for the one whose kernels of that release lanes have. `settings` are the
    values that the running kernel has below /proc/sys; None stands for the distribution's defaults. `has_kprobes` is
    whether it has kprobes; None stands for what its records say. `other_options` are the configuration options that it
    shows otherwise than the configuration that came with it. `supposed` are the changes, of those that nobody has
    looked up for the release, that it is taken to have; None when it may have any of them (`harness.model.unchecked`).
    With `affords` it is known to have the memory for the map that is made.
    `faults_of_functions` are errors that it is taken to have, whatever its rules say.
    """

    era: str
    arch: str
    version_code: int
    engine: str = "interp"
    cpus: int = 1
    cpu: int = FIRST_CPU
    page_size: int = 4096
    uid: int = 0
    capabilities: frozenset[Capability] = ROOT
    symbols: frozenset[str] | None = None
    distribution: Distribution | None = None
    settings: Mapping[str, int] | None = field(default=None, hash=False)
    has_kprobes: bool | None = None
    other_options: tuple[str, ...] = ()
    supposed: frozenset[Seen] | None = None
    affords: bool = False
    faults_of_functions: frozenset[FunctionFault] = frozenset()

    @classmethod
    def of(cls, kernel: Kernel, engine: Engine, facts: Facts) -> Environment:
        """Returns what is known of a running kernel: what it reports itself takes precedence over its image and its
        records."""
        recorded = options_of(kernel.config)
        options = recorded if facts.options is None else facts.options
        declared = kernel.distribution and of_kernel(kernel.distribution, options, declared=True)
        return cls(
            era=kernel.era,
            arch=kernel.arch.name,
            version_code=kernel.version_code,
            engine=str(engine),
            cpus=facts.cpus,
            page_size=facts.page_size,
            distribution=declared or configured(options),
            settings=facts.settings,
            has_kprobes=facts.kprobes,
            other_options=tuple(sorted({key for key, _ in options.items() ^ recorded.items()})),
        )

    @cached_property
    def of_any_engine(self) -> Environment:
        """Returns the same kernel whichever engine runs its programs, by which what holds for both is kept."""
        return replace(self, engine="")

    @cached_property
    def recorded(self) -> Era:
        """Returns the rules of the kernel as its records have them; raises UserError when nothing is known of its
        release or its architecture."""
        return era(self.era, self.arch, self.distribution, self.supposed or frozenset())

    @cached_property
    def rules(self) -> Era:
        """Returns the rules of the kernel: its records, corrected by what it reports itself; errors as `recorded`."""
        known = self.recorded
        return known if self.has_kprobes in (None, known.kprobes) else replace(known, kprobes=not known.kprobes)

    @property
    def surprises(self) -> tuple[str, ...]:
        """Returns one sentence for each difference between the running kernel and the records it is judged by; the
        kernel is believed."""
        whose = f"{self.rules.distribution.name}'s {self.era}"
        known = self.recorded
        differing = tuple(
            f"{path} is {value}, where {whose} has {known.settings[path]}"
            for path, value in (self.settings or {}).items()
            if path in known.settings and value != known.settings[path]
        )
        if self.rules.kprobes != known.kprobes:
            there = "has no kprobes" if known.kprobes else "has kprobes"
            differing = (f"the kernel {there}, other than {whose} on {self.arch}", *differing)
        if self.other_options:
            names = ", ".join(self.other_options[:_NAMED]) + (", ..." if len(self.other_options) > _NAMED else "")
            differing = (f"it was not built with the configuration that came with it: {names}", *differing)
        return differing

    @property
    def warnings(self) -> tuple[str, ...]:
        """Returns what a report has to say of how this kernel is judged, a sentence each: that nobody has held the
        rules of its release against a running kernel, or that it is later than all that have rules, and its surprises.
        """
        own, last = (self.version_code >> 16, self.version_code >> 8 & 0xFF), max(RUN)
        if own > last:
            later = (
                f"Linux {dotted(own)} is later than {dotted(last)}, the last release with rules; it is judged by those"
            )
            return (f"{later} of {self.era}", *self.surprises)
        if self.rules.release in RUN:
            return self.surprises
        if self.rules.release in READ:
            read = f"the rules of {self.era} were read in its sources; nobody has held them against a running kernel"
            return (read, *self.surprises)
        return (
            f"nobody has held the rules of {self.era} against a running kernel: whether it has "
            f"{counted(len(doubtful(self.era, self.arch)), 'change')} of later releases is not known, and what depends "
            "on that is not predicted; hil lanes --changes lists them",
            *self.surprises,
        )

    @property
    def registers(self) -> PtRegs:
        """Returns the context of a kprobe program here."""
        return pt_regs(self.arch, self.era)

    @property
    def faults(self) -> frozenset[JitFault]:
        """Returns what the engine gets wrong here."""
        return self.rules.faults if self.engine == Engine.JIT else frozenset()

    @property
    def only_compiled(self) -> frozenset[int]:
        """Returns helpers that a program cannot call here, because its engine does not compile it."""
        if self.engine == Engine.JIT:
            return frozenset()
        return self.rules.jit_helpers

    @property
    def deadly_helpers(self) -> frozenset[int]:
        """Helpers whose call may be the end of the machine, because the program's engine does not compile it."""
        if self.engine == Engine.JIT:
            return frozenset()
        return self.rules.deadly_helpers

    @property
    def tail_calls_of_functions(self) -> bool:
        """Returns whether programs with functions may make tail calls here."""
        return self.engine == Engine.JIT and self.rules.tail_calls_of_functions

    @property
    def kprobes(self) -> bool:
        """Returns whether this kernel has kprobes, and therefore programs of type KPROBE."""
        return self.rules.kprobes
