"""The one place that knows which stand-ins exist: every sub-package of `standins`.

A system's package exports `FAULTS`, the kinds of fault that only it can play, and optionally
`PATHS`, where its API has fixed paths at the root (otherwise it lies under `/<system>/`), and
`HOLDS_COMPANY_DATA = False`, where it serves nothing of a company and is in every sandbox. Its module
`standin` has `create(company, credentials, faults, limits)`. Adding a folder adds the system.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import cast

import sophia_assets.sandbox.standins as standins_package
from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.faults import KINDS, FaultBoard, FaultKind
from sophia_assets.sandbox.standins.standin import Standin


@cache
def _packages() -> Mapping[str, ModuleType]:
    names = sorted(module.name for module in pkgutil.iter_modules(standins_package.__path__) if module.ispkg)
    return {name: importlib.import_module(f"{standins_package.__name__}.{name}") for name in names}


def holds_company_data(system: str) -> bool:
    """Whether it serves a company's data, so that a company can lack it; a vendor of language models does not."""
    return bool(getattr(_packages()[system], "HOLDS_COMPANY_DATA", True))


# The business systems first.
SYSTEMS: tuple[str, ...] = tuple(sorted(_packages(), key=lambda name: (not holds_company_data(name), name)))


def fault_kinds(system: str) -> Mapping[str, FaultKind]:
    """The kinds of fault that `system` can play, by name."""
    own: Mapping[str, FaultKind] = _packages()[system].FAULTS
    return {**KINDS, **own}


def paths(system: str) -> tuple[str, ...]:
    """The prefixes of the paths that are the system's; none where it does not speak HTTP."""
    return cast(tuple[str, ...], getattr(_packages()[system], "PATHS", (f"/{system}/",)))


def has_fixed_paths(system: str) -> bool:
    """Whether the system's paths lie at the root, not under its name."""
    return hasattr(_packages()[system], "PATHS")


def create(system: str, company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> Standin:
    """The stand-in for a system that the company uses."""
    module = importlib.import_module(f"{standins_package.__name__}.{system}.standin")
    return cast(Standin, module.create(company, credentials, faults, limits=limits))
