"""Which checks there are, and running those that were asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sophia_assets.doctor import configuration, machine
from sophia_assets.doctor.examination import SECONDS, Check, Report, examine
from sophia_assets.doctor.findings import Finding, Findings, secrets_in, shown
from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import Settings
from sophia_assets.settings.breakers import PROVIDERS
from sophia_assets.sources import registry

if TYPE_CHECKING:
    from sophia_assets.doctor.patient import Patient

AREAS = (
    "settings",
    "machine",
    "clock",
    "home",
    "control",
    "warehouse",
    *registry.SYSTEMS,
    *PROVIDERS,
    "freshness",
    "dagster",
    "web",
    "cache",
    "delivery",
    "exporter",
    "retention",
)
"""Every area, in the order in which they are told."""

_LookAt = Callable[["Patient"], Iterable[Finding]]
# What a system, or a model, cannot be read without.
_NEEDED = ("settings", "clock", "home", "control", "warehouse")
_SNOWFLAKE_SECONDS = 40.0


def look(
    environment: Mapping[str, str], *, names: Iterable[str] = (), is_offline: bool = False, folder: Path | None = None
) -> Report:
    """Examines the home that the environment names; `names` are areas, systems or models, none for everything.

    `folder` is where `.env` is looked for, the working folder by default. Raises ConfigurationError for an unknown
    name, and for nothing else: what is wrong is a finding.
    """
    began = time.monotonic()
    only = frozenset(names)
    for name in sorted(only.difference(AREAS)):
        raise ConfigurationError(
            f"there is nothing called {name!r} to look at", remedy=f"Use one of {', '.join(AREAS)}"
        )
    settings, wrong = configuration.read_settings(environment)
    found = [*wrong]
    if settings is None:
        why = "not looked at, since the settings cannot be read"
        found += examine([_machine()]) if not only or "machine" in only else []
        found += [Findings(area).skipped("settings", why) for area in AREAS[2:] if not only or area in only]
    else:
        found += _examined(settings, environment, only, is_offline, folder or Path.cwd())
    secrets = secrets_in(environment)
    order = {area: number for number, area in enumerate(AREAS)}
    told = sorted((shown(finding, secrets) for finding in found), key=lambda each: order.get(each.area, len(order)))
    return Report(tuple(told), time.monotonic() - began)


def _examined(
    settings: Settings, environment: Mapping[str, str], only: frozenset[str], is_offline: bool, folder: Path
) -> list[Finding]:
    from sophia_assets.doctor.patient import Patient
    from sophia_assets.home import current_home
    from sophia_assets.services import Services

    home = current_home(settings)
    services = Services(settings, home)
    patient = Patient(settings, home, services, is_offline=is_offline, only=only)
    try:
        return examine(_checks(patient, environment, folder), in_the_end=lambda: _last(patient))
    finally:
        # What hangs must not keep the program from ending either.
        with suppress(Exception):
            services.close()


def _machine() -> Check:
    return Check(machine.AREA, "machine", machine.check_machine)


def _checks(patient: Patient, environment: Mapping[str, str], folder: Path) -> list[Check]:
    """Those that are wanted. The slowest to begin come first."""
    from sophia_assets.doctor import (
        clock,
        control_store,
        delivery,
        freshness,
        home_folder,
        models,
        orchestrator,
        services_beside,
        systems,
        warehouse,
    )

    def about(
        area: str, subject: str, check: Callable[[Patient], Iterable[Finding]], seconds: float = SECONDS
    ) -> Check:
        return Check(area, subject, partial(check, patient), seconds)

    is_asked_about_one = bool(patient.only)
    in_snowflake = patient.settings.warehouse == "snowflake"
    slow = _SNOWFLAKE_SECONDS if in_snowflake else SECONDS
    every = [
        about("dagster", "instance", orchestrator.check_dagster, orchestrator.SECONDS),
        *(
            Check(system, "system", partial(systems.check_system, patient, system), slow)
            for system in sorted(registry.SYSTEMS, key=lambda name: name != "snowflake")
        ),
        Check("settings", "names", partial(configuration.check_settings, environment, folder)),
        Check("settings", "together", partial(configuration.check_together, patient.settings)),
        _machine(),
        about("clock", "time zones", clock.check_zones),
        about("home", "folder", home_folder.check_home),
        about("control", "store", control_store.check_control),
        about("warehouse", "file", warehouse.check_warehouse, slow),
        *(Check(name, "model", partial(models.check_provider, patient, name)) for name in PROVIDERS),
        about("freshness", "tables", freshness.check_freshness, slow),
        about("web", "port", services_beside.check_web),
        about("cache", "redis", services_beside.check_cache),
        about("delivery", "channels", delivery.check_delivery, 2 * SECONDS),
        about("exporter", "port", services_beside.check_exporter),
        about("retention", "last run", services_beside.check_retention),
    ]
    if not is_asked_about_one:
        return every
    asked = set(patient.only)
    if asked.intersection((*registry.SYSTEMS, *PROVIDERS)):
        asked |= {*_NEEDED, "freshness"}
    return [check for check in every if check.area in asked]


def _last(patient: Patient) -> list[Check]:
    """What compares what the others have met."""
    from sophia_assets.doctor import clock

    if patient.is_offline or (patient.only and not patient.skews):
        return []
    return [Check("clock", "this machine", partial(clock.check_clock, patient))]
