"""What this machine has, as facts: Python, packages, driver, GPUs, memory and disk."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from hwdb.detect import read_machine
from hwdb.detect.machine import Machine

INSTALL_LINE = "pip install 'tlplan[train]'"
_DISTRIBUTION = "tlplan"


_OPTIONAL = "tlplan serve"
_USES = {'extra == "train"': "training", 'extra == "serve"': _OPTIONAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package tlplan asks for."""

    name: str
    wanted: str
    """The versions asked for, as pip writes them."""
    installed: str | None
    fits: bool | None
    """Whether the installed version is one of those; None when that cannot be told."""
    needed_for: str
    """"everything", "training" or "tlplan serve"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """Everything that was found."""

    python_version: str
    python_path: str
    machine: Machine
    packages: tuple[Package, ...]
    disk_free_bytes: int
    """Of the folder that runs would be made in."""

    @property
    def missing(self) -> tuple[Package, ...]:
        """Packages that are not there, or too old or new; what only a browser needs may be away."""
        return tuple(
            each
            for each in self.packages
            if each.fits is False or (each.installed is None and each.needed_for != _OPTIONAL)
        )


def examine() -> Checkup:
    """Look at this machine; imports none of the packages it asks about."""
    return Checkup(
        python_version=platform.python_version(),
        python_path=sys.executable,
        machine=read_machine(),
        packages=wanted_packages(),
        disk_free_bytes=shutil.disk_usage(Path.cwd()).free,
    )


def wanted_packages() -> tuple[Package, ...]:
    """Each package tlplan asks for beside the one that is here; imports none of them."""
    try:
        lines = requires(_DISTRIBUTION) or []
    except PackageNotFoundError:
        return ()
    return tuple(_package(line) for line in lines if 'extra == "dev"' not in line)


def _package(line: str) -> Package:
    requirement, _, marker = line.partition(";")
    requirement = requirement.strip()
    end = next((i for i, sign in enumerate(requirement) if sign in "<>=!~ ("), len(requirement))
    name, wanted = requirement[:end], requirement[end:].strip()
    try:
        installed: str | None = version(name)
    except PackageNotFoundError:
        installed = None
    return Package(
        name=name,
        wanted=wanted,
        installed=installed,
        fits=None if installed is None else _fits(installed, wanted),
        needed_for=next((use for extra, use in _USES.items() if extra in marker), "everything"),
    )


def _fits(installed: str, wanted: str) -> bool | None:
    try:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet
    except ImportError:  # comes with the training packages
        return None
    try:
        return SpecifierSet(wanted).contains(installed, prereleases=True)
    except InvalidSpecifier:
        return None
