# SPDX-License-Identifier: MIT
"""Imports a user's own kernel into the cache, after checking that its parts belong together."""

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

# A release as made by scripts/setlocalversion; also the name of a folder here and in the guest.
_RELEASE = re.compile(r"\d+\.\d+[\w.+~-]*", re.ASCII)
_ERA = re.compile(r"\d+\.\d+", re.ASCII)
"""The key of a release's rules."""


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
    """Copy a kernel into the cache as `name`; under a name of the catalogue it is used for that lane.

    `parts.modules` may be lib/modules/<release> or a folder that holds it (make INSTALL_MOD_PATH=). `arch` is checked
    when given and read from the image otherwise; `release` (uname -r) is needed only when neither image nor modules
    show it. `judged_as` is the release whose rules it is judged by, if not its own; `distribution` is needed where
    image and configuration do not show it, and is kept with the kernel.

    Raises UserError when parts do not fit together or the name is taken; raises BenchError when the cache cannot be
    written.
    """
    try:
        arch, release, version, parts = examine(parts, arch, release)
        chosen = choose(parts, version, judged_as, distribution)
        _check_name(name, arch, version, judged_as)
        folder = store.location(name, arch)
        provenance = {
            "source": store.IMPORTED,
            "files": {part: str(path.absolute()) for part, path in vars(parts).items() if path},
            "imported": datetime.now(UTC).isoformat(timespec="seconds"),
            **({"as": judged_as} if judged_as else {}),
            **({"distribution": chosen.kept.declaration()} if chosen.kept else {}),
            "judged": chosen.reasons(),
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
    """The records that a kernel is judged by, and why. `kept` is the distribution where the configuration alone does
    not show it."""

    why_release: str
    distribution: Distribution
    why_distribution: str
    kept: Distribution | None

    def reasons(self) -> dict[str, str]:
        """The reasons, for the metadata of the entry."""
        return {"release": self.why_release, "whose": self.distribution.name, "distribution": self.why_distribution}


def choose(parts: Parts, version: str, judged_as: str, distribution: Distribution | None) -> Chosen:
    """Choose the records for a kernel of that upstream version."""
    release = "chosen by --as" if judged_as else f"its version is {version}"
    if distribution:
        return Chosen(release, distribution, "chosen by --distribution", distribution)
    options = configuration.options(parts.config.read_text(errors="replace"))
    detected, why = distributions.detect(options, image.read(parts.image).version)
    return Chosen(release, detected, why, None if detected == distributions.detect(options)[0] else detected)


def examine(parts: Parts, arch: Architecture | None, release: str) -> tuple[Architecture, str, str, Parts]:
    """The architecture, release and upstream version of the parts, and the parts with the folder of their modules.

    Raises UserError when they do not belong together, or the release is unknown.
    """
    observed, config = image.read(parts.image), configuration.read(parts.config)
    if observed.arch != config.arch:
        raise UserError(
            f"{parts.image} is for {observed.arch}, but {parts.config} for {config.arch}",
            remedy="give the image and the configuration of the same build",
        )
    if arch and arch.name != observed.arch:
        raise UserError(f"{parts.image} is for {observed.arch}, not for {arch}", remedy=f"give --arch {observed.arch}")
    if release and observed.release and release != observed.release:
        raise UserError(
            f"{parts.image} has the release {observed.release}, not {release}", remedy="leave --release out"
        )
    release = release or observed.release
    for option, path in (("--vmlinux", parts.vmlinux), ("--system-map", parts.system_map)):
        if path and not path.stat().st_size:
            raise UserError(f"{path} is empty", remedy=f"give the file of the build, or leave {option} out")
    modules = _modules(parts.modules, release) if parts.modules else None
    release = release or (modules.name if modules else "")
    if not release:
        raise UserError(f"{parts.image} does not show its release", remedy="give what uname -r prints as --release")
    if not _RELEASE.fullmatch(release):
        raise UserError(f"{release!r} is not a release of a kernel", remedy="give what uname -r prints as --release")
    version = config.version or _numbers(release)
    if catalogue.numbers(version)[:2] != catalogue.numbers(release)[:2]:
        raise UserError(
            f"{parts.image} is Linux {release}, but {parts.config} is for {version}",
            remedy="give the image and the configuration of the same build",
        )
    return architecture(observed.arch), release, version, replace(parts, modules=modules)


def _check_name(name: str, arch: Architecture, version: str, judged_as: str) -> None:
    """Raise UserError when a name of the catalogue stands for another kernel, or the release has no rules."""
    if catalogue.POINT in name:
        raise UserError(f"{name!r} stands for a kernel of Debian's archive", remedy=f"leave {catalogue.POINT} out")
    if judged_as and not _ERA.fullmatch(judged_as):
        raise UserError(
            f"a kernel cannot be judged as {judged_as!r}, which is not a release of Linux",
            remedy="write --as MAJOR.MINOR, such as 6.1",
        )
    known = catalogue.find(name)
    era = catalogue.era_of(judged_as or version)
    if known is None:
        return
    catalogue.check_exists(name, arch)
    series = catalogue.numbers(known.series) if known.series else ()
    if known.era != era or series != catalogue.numbers(version)[: len(series)]:
        raise UserError(
            f"Linux {version} cannot have the name {name}, which stands for {known.series or known.era}",
            remedy="choose another name",
        )


def _modules(folder: Path, release: str) -> Path:
    """The folder lib/modules/<release> at or below `folder`; when the release is unknown, the only one there.

    Raises UserError when there is not exactly one.
    """
    wanted = release or "*"
    candidates = [folder] if (folder / "kernel").is_dir() or (folder / "modules.order").exists() else []
    for parent in (folder, folder / "lib/modules", folder / "usr/lib/modules"):
        candidates += [path for path in sorted(parent.glob("*")) if path.is_dir() and (path / "kernel").is_dir()]
    fitting = [path for path in candidates if wanted in ("*", path.name)]
    if len(fitting) != 1:
        found = ", ".join(path.name for path in candidates) or "nothing"
        raise UserError(
            f"{folder} has no modules for the release {wanted}; there is {found}",
            remedy="give lib/modules/<release> of the build, or leave --modules out",
        )
    return fitting[0]


def _numbers(release: str) -> str:
    return ".".join(map(str, catalogue.numbers(release)))
