"""What the model has to know of the lane it speaks for."""

from __future__ import annotations

from dataclasses import dataclass

from harness.abi.capabilities import Capability
from harness.abi.pt_regs import PtRegs, pt_regs
from harness.lane import Engine
from harness.model.eras import era
from harness.model.rules import Era, JitFault
from harness.script.needs import FIRST_CPU
from hil.agent.results import Hello
from hil.kernels.kernel import Kernel

ROOT = frozenset(Capability)


@dataclass(frozen=True)
class Environment:
    """`era` as in `harness.model.eras`, `arch` as in images/architectures.toml, `engine` "interp" or "jit".

    `version_code` is the kernel's LINUX_VERSION_CODE, `cpus` how many there can be, `cpu` the one that the calling
    thread runs on, `page_size` in bytes. `uid` and `capabilities` are those a script begins with.

    `symbols` are the functions one can probe, where they are known (System.map); None when they are not.
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

    @classmethod
    def of(cls, kernel: Kernel, engine: Engine, hello: Hello) -> Environment:
        """That of a kernel that runs: the greeting of the agent in it tells what its image does not."""
        return cls(
            era=kernel.era,
            arch=kernel.arch.name,
            version_code=kernel.version_code,
            engine=str(engine),
            cpus=hello.cpus,
            page_size=hello.page_size,
        )

    @property
    def rules(self) -> Era:
        """The era's record; UserError when there is no such era."""
        return era(self.era)

    @property
    def registers(self) -> PtRegs:
        """The context of a kprobe program here."""
        return pt_regs(self.arch, self.era)

    @property
    def faults(self) -> frozenset[JitFault]:
        """What the engine gets wrong here."""
        return self.rules.faults(self.arch) if self.engine == Engine.JIT else frozenset()

    @property
    def only_compiled(self) -> frozenset[int]:
        """Helpers that a program cannot call here, because its engine does not compile it."""
        if self.engine == Engine.JIT:
            return frozenset()
        return frozenset(helper for arch, helper in self.rules.jit_helpers if arch == self.arch)

    @property
    def kprobes(self) -> bool:
        """Whether this kernel has kprobes, and therefore programs of type KPROBE."""
        return self.arch in self.rules.kprobes
