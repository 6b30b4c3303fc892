# SPDX-License-Identifier: MIT
"""A user's own kernel becomes an entry of the cache, after we looked whether its parts belong together."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hil import cache
from hil.arch import Architecture, architecture
from hil.errors import UserError
from hil.kernels import catalogue, configuration, distributions, entry, image, store
from hil.kernels.distributions import Distribution
from hil.kernels.entry import Parts
from hil.kernels.kernel import Kernel

# What scripts/setlocalversion puts together; also the name of a folder here and in the guest.
_RELEASE = re.compile(r"\d+\.\d+[\w.+~-]*", re.ASCII)
_ERA = re.compile(r"\d+\.\d+", re.ASCII)
"""How rules are keyed."""


def add(
    name: str,
    parts: Parts,
    *,
    arch: Architecture | None = None,
    release: str = "",
    judged_as: str = "",
    distribution: Distribution | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Kernel:
    """Copy a kernel into the cache as `name`; under a name of the catalogue it runs that lane.

    `parts.modules` may be lib/modules/<release> or a folder that holds it (make INSTALL_MOD_PATH=). `arch` is checked
    when given and read from the image otherwise; `release` (uname -r) is needed only when neither image nor modules
    show it. `judged_as` names the release whose rules it is judged by where that is not its own, `distribution` is
    the one whose it is where image and configuration do not tell; it is kept with the kernel.

    UserError when parts do not fit together or the name is taken; BenchError when the cache cannot be written.
    """
    try:
        arch, release, version, parts = examine(parts, arch, release)
        chosen = choose(parts, version, judged_as, distribution)
        _fits(name, arch, version, judged_as)
        folder = store.location(name, arch)
        provenance = {
            "source": store.IMPORTED,
            "files": {part: str(path.absolute()) for part, path in vars(parts).items() if path},
            "imported": datetime.now(UTC).isoformat(timespec="seconds"),
            **({"as": judged_as} if judged_as else {}),
            **({"distribution": chosen.kept.declaration()} if chosen.kept else {}),
            "judged": chosen.told(),
        }
        with cache.locked(folder, notify=notify):
            if folder.exists():
                raise UserError(
                    f"there is a kernel {name}/{arch} already",
                    remedy=f"choose another name, or `hil kernels remove {name} --arch {arch}` first",
                )
            with cache.replaced(folder) as new:
                entry.write(new, name, arch, parts, release, version, provenance)
    except OSError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from None
    return entry.read(folder, arch)


@dataclass(frozen=True)
class Chosen:
    """By which records a kernel is judged, and why by these. `kept` is the distribution where the configuration alone
    does not tell it."""

    why_release: str
    distribution: Distribution
    why_distribution: str
    kept: Distribution | None

    def told(self) -> dict[str, str]:
        """For the metadata of the entry."""
        return {"release": self.why_release, "whose": self.distribution.name, "distribution": self.why_distribution}


def choose(parts: Parts, version: str, judged_as: str, distribution: Distribution | None) -> Chosen:
    """The records for a kernel of that upstream version."""
    release = "as --as says" if judged_as else f"its version is {version}"
    if distribution:
        return Chosen(release, distribution, "as --distribution says", distribution)
    options = configuration.options(parts.config.read_text(errors="replace"))
    theirs, why = distributions.told(options, image.read(parts.image).version)
    return Chosen(release, theirs, why, None if theirs == distributions.told(options)[0] else theirs)


def examine(parts: Parts, arch: Architecture | None, release: str) -> tuple[Architecture, str, str, Parts]:
    """Architecture, release and upstream version that all parts agree on, and the parts with their modules found."""
    seen, config = image.read(parts.image), configuration.read(parts.config)
    if seen.arch != config.arch:
        raise UserError(
            f"{parts.image} is for {seen.arch}, but {parts.config} for {config.arch}",
            remedy="give the image and the configuration of the same build",
        )
    if arch and arch.name != seen.arch:
        raise UserError(f"{parts.image} is for {seen.arch}, not for {arch}", remedy=f"give --arch {seen.arch}")
    if release and seen.release and release != seen.release:
        raise UserError(f"{parts.image} has the release {seen.release}, not {release}", remedy="leave --release out")
    release = release or seen.release
    for option, path in (("--vmlinux", parts.vmlinux), ("--system-map", parts.system_map)):
        if path and not path.stat().st_size:
            raise UserError(f"{path} is empty", remedy=f"give the file of the build, or leave {option} out")
    modules = _modules(parts.modules, release) if parts.modules else None
    release = release or (modules.name if modules else "")
    if not release:
        raise UserError(f"{parts.image} does not show its release", remedy="give what uname -r prints as --release")
    if not _RELEASE.fullmatch(release):
        raise UserError(f"{release!r} is no release of a kernel", remedy="give what uname -r prints as --release")
    version = config.version or _numbers(release)
    if catalogue.numbers(version)[:2] != catalogue.numbers(release)[:2]:
        raise UserError(
            f"{parts.image} is Linux {release}, but {parts.config} is for {version}",
            remedy="give the image and the configuration of the same build",
        )
    return architecture(seen.arch), release, version, replace(parts, modules=modules)


def _fits(name: str, arch: Architecture, version: str, judged_as: str) -> None:
    """A lane of the catalogue must get the kernel it names; any other name needs a release with rules."""
    if catalogue.POINT in name:
        raise UserError(f"{name!r} stands for a kernel of Debian's archive", remedy=f"leave {catalogue.POINT} out")
    if judged_as and not _ERA.fullmatch(judged_as):
        raise UserError(
            f"a kernel cannot be judged as {judged_as!r}, which is no release of Linux",
            remedy="write --as MAJOR.MINOR, 6.1 for one",
        )
    known = catalogue.find(name)
    era = catalogue.era_of(judged_as or version)
    if known is None:
        return
    catalogue.check_offered(name, arch)
    series = catalogue.numbers(known.series) if known.series else ()
    if known.era != era or series != catalogue.numbers(version)[: len(series)]:
        raise UserError(
            f"Linux {version} does not belong under the name {name}, which stands for {known.series or known.era}",
            remedy="choose another name",
        )


def _modules(folder: Path, release: str) -> Path:
    """The folder lib/modules/<release> at or below `folder`; with an unknown release the only one there is."""
    wanted = release or "*"
    at_hand = [folder] if (folder / "kernel").is_dir() or (folder / "modules.order").exists() else []
    for parent in (folder, folder / "lib/modules", folder / "usr/lib/modules"):
        at_hand += [path for path in sorted(parent.glob("*")) if path.is_dir() and (path / "kernel").is_dir()]
    fitting = [path for path in at_hand if wanted in ("*", path.name)]
    if len(fitting) != 1:
        found = ", ".join(path.name for path in at_hand) or "nothing"
        raise UserError(
            f"{folder} has no modules for the release {wanted}; there is {found}",
            remedy="give lib/modules/<release> of the build, or leave --modules out",
        )
    return fitting[0]


def _numbers(release: str) -> str:
    return ".".join(map(str, catalogue.numbers(release)))
