# SPDX-License-Identifier: MIT
"""The host's compilers and tools, and what make is told of them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hil.arch import Architecture
from hil.errors import BenchError
from hil.kernels.building.recipe import Program, Recipe

# What a build sees of the user's environment. The rest stays out, because kbuild listens to many variables: ARCH,
# KCFLAGS, KBUILD_*, MAKEFLAGS.
_PASSED_ON = ("PATH", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
_PASSED_ON_PREFIX = "CCACHE_"


@dataclass(frozen=True)
class Toolchain:
    """`compiler` is the first line of `gcc --version`; `variables` go on make's command line."""

    compiler: str
    variables: dict[str, str]
    known: bool

    def at(self, tree: Path) -> Toolchain:
        """The same for sources in `tree`: no trace of that folder in the kernel, and no time but that of the release.

        Debug information names /usr/src/<tree>; the banner has the time the Makefile of the release was written.
        """
        written = datetime.fromtimestamp((tree / "Makefile").stat().st_mtime, UTC)
        return replace(
            self,
            variables={
                **self.variables,
                "CC": f"{self.variables['CC']} -fdebug-prefix-map={tree}=/usr/src/{tree.name}",
                "KBUILD_BUILD_TIMESTAMP": written.strftime("%a %b %e %H:%M:%S UTC %Y"),
            },
        )

    def make(self, *arguments: str) -> list[str]:
        return ["make", *arguments, *(f"{name}={value}" for name, value in self.variables.items())]


def find(recipe: Recipe, arch: Architecture) -> Toolchain:
    """The toolchain that builds `recipe`; BenchError that names every program and package that is missing."""
    needed = (*recipe.programs, Program(arch.gcc, arch.gcc_package))
    missing = [program for program in needed if _which(program.name) is None]
    if missing:
        packages = " ".join(dict.fromkeys(program.package for program in missing))
        raise BenchError(
            f"cannot build a kernel for {arch}: {', '.join(program.name for program in missing)} not installed",
            remedy=f"on Debian: apt-get install {packages}",
        )
    compiler = _version(arch.gcc)
    release = re.search(r"\) (\d+)\.", compiler)
    launcher = ["ccache"] if shutil.which("ccache") else []
    return Toolchain(
        compiler=compiler,
        variables={
            "ARCH": recipe.make_arch,
            "CROSS_COMPILE": arch.gcc.removesuffix("gcc"),
            "CC": shlex.join([*launcher, arch.gcc, *recipe.flags["CC"]]),
            "HOSTCC": shlex.join([*launcher, "gcc", *recipe.flags["HOSTCC"]]),
            # Part of the banner, and else those of whoever builds.
            "KBUILD_BUILD_USER": "hil",
            "KBUILD_BUILD_HOST": "hil",
        },
        known=release is not None and int(release[1]) in recipe.gcc,
    )


def environment(scratch: Path) -> dict[str, str]:
    """What programs of the build find in their environment; `scratch` is for their temporary files."""
    passed_on = {
        name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIX)
    }
    # Messages in one language, for we read some; and no temporary files on another file system than the one we checked.
    return {**passed_on, "LC_ALL": "C", "TMPDIR": str(scratch)}


def _which(program: str) -> str | None:
    """Where the program is; also in sbin, where depmod is and a user's PATH does not lead."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def _version(gcc: str) -> str:
    done = subprocess.run([gcc, "--version"], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise BenchError(f"{gcc} --version ended with status {done.returncode}", details=done.stderr)
    return lines[0]
