# SPDX-License-Identifier: MIT
"""The host's compilers and tools, and make's variables for them."""

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

# The part of the user's environment that a build gets. The rest is left out, because kbuild obeys many variables: ARCH,
# KCFLAGS, KBUILD_*, MAKEFLAGS.
_PASSED_ON = ("PATH", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
_PASSED_ON_PREFIX = "CCACHE_"


@dataclass(frozen=True)
class Toolchain:
    """The tools of a build. `compiler` is the first line of `gcc --version`, `known` says whether the recipe lists its
    release; `variables` go on make's command line."""

    compiler: str
    variables: dict[str, str]
    known: bool

    def at(self, tree: Path) -> Toolchain:
        """The same toolchain for sources in `tree`, so that the kernel depends neither on that folder nor on the time.

        Debug information names /usr/src/<tree>; the banner has the modification time of the release's Makefile.
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
    """The toolchain that builds `recipe`; BenchError, which names every missing program and package."""
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
            # Part of the banner; by default they are those of the user who builds.
            "KBUILD_BUILD_USER": "hil",
            "KBUILD_BUILD_HOST": "hil",
        },
        known=release is not None and int(release[1]) in recipe.gcc,
    )


def environment(scratch: Path) -> dict[str, str]:
    """The environment of the programs of a build; `scratch` is the folder for their temporary files."""
    passed_on = {
        name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIX)
    }
    # English messages, because some are parsed; temporary files on the file system whose space was checked.
    return {**passed_on, "LC_ALL": "C", "TMPDIR": str(scratch)}


def _which(program: str) -> str | None:
    """The path of a program; also looked up in sbin, which has depmod and often is not in a user's PATH."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def _version(gcc: str) -> str:
    done = subprocess.run([gcc, "--version"], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise BenchError(f"{gcc} --version ended with status {done.returncode}", details=done.stderr)
    return lines[0]
