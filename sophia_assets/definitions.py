"""What Dagster loads: every asset, check, job, schedule and resource, assembled in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from sophia_assets.home import Home, current_home
from sophia_assets.insight.kinds import DAILY, WEEKLY
from sophia_assets.orchestration.briefing_assets import briefing_assets
from sophia_assets.orchestration.checks import raw_checks
from sophia_assets.orchestration.circuit_checks import circuit_checks
from sophia_assets.orchestration.circuit_jobs import circuit_jobs
from sophia_assets.orchestration.circuit_sensors import circuit_sensors
from sophia_assets.orchestration.delivery_assets import delivery_asset
from sophia_assets.orchestration.fact_assets import fact_assets
from sophia_assets.orchestration.flag_job import flags_control_job
from sophia_assets.orchestration.health_assets import health_assets, health_job, health_sensor
from sophia_assets.orchestration.jobs import (
    briefing_deadline,
    briefing_schedule,
    build_jobs,
    weekly_deadline,
    weekly_schedule,
)
from sophia_assets.orchestration.model_assets import model_assets
from sophia_assets.orchestration.partitions import daily_partitions, weekly_partitions
from sophia_assets.orchestration.question_job import assistant_resource, question_job
from sophia_assets.orchestration.raw_assets import raw_assets
from sophia_assets.orchestration.resources import facts_io_manager, services_resource
from sophia_assets.orchestration.retention_job import retention_job, retention_schedule
from sophia_assets.orchestration.run_log import run_logger
from sophia_assets.settings import load_settings
from sophia_assets.settings.profile import refuse_contradictions
from sophia_assets.telemetry.logs import configure, is_configured


def build_definitions(resource_overrides: Mapping[str, Any] | None = None, home: Home | None = None) -> dg.Definitions:
    """The whole platform; tests and the command line pass their own `services` and home."""
    settings = load_settings()
    if not is_configured():
        # A process of Dagster's own, in which nobody else says where logs go.
        configure(settings.logs, settings.environment)
    refuse_contradictions(settings)
    home = home or current_home(settings)
    first_day = home.history_start(settings)
    partitions = daily_partitions(first_day, settings.timezone)
    weeks = weekly_partitions(first_day, settings.timezone)
    resources = {
        "services": services_resource,
        "facts_io_manager": facts_io_manager,
        "assistant": assistant_resource,
        "kept_in_memory": dg.mem_io_manager,
        **(resource_overrides or {}),
    }
    circuits = circuit_checks()
    probing, controlling = circuit_jobs(resources["services"])
    jobs, watching = build_jobs(partitions, weeks, without=circuits), health_job()
    deadline = briefing_deadline(settings.working_days, settings.briefing_hour, settings.timezone)
    return dg.Definitions(
        assets=[
            *raw_assets(partitions, settings.warehouse),
            *model_assets(deadline, settings.warehouse),
            *fact_assets(partitions),
            *briefing_assets(partitions, weeks, deadline, weekly_deadline(settings.briefing_hour, settings.timezone)),
            delivery_asset(DAILY, partitions),
            delivery_asset(WEEKLY, weeks),
            *health_assets(),
        ],
        asset_checks=[*raw_checks(), *circuits],
        jobs=[*jobs, watching, probing, controlling, flags_control_job(), question_job, retention_job()],
        schedules=[
            briefing_schedule(jobs, settings.working_days, settings.briefing_hour, settings.timezone),
            weekly_schedule(jobs, settings.briefing_hour, settings.timezone),
            retention_schedule(settings.retention.hour, settings.timezone),
        ],
        sensors=[health_sensor(watching), *circuit_sensors(jobs, probing, settings.sensor_seconds)],
        resources=resources,
        loggers={"console": run_logger},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
