"""Asking a running Dagster over GraphQL, as its UI does: runs, ticks, checks, observations, materializations.

Every answer is what the webserver says; nothing is read from Dagster's storage. All moments are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from sophia_assets.drill import queries
from sophia_assets.errors import SophiaError

LOCATION = "sophia_assets"
REPOSITORY = "__repository__"
ENDED_WELL = "SUCCESS"
ENDED = frozenset({ENDED_WELL, "FAILURE", "CANCELED"})


class DagsterError(SophiaError):
    """Dagster's webserver does not answer, or refuses what it is asked."""


@dataclass(frozen=True)
class Run:
    """A run: `status` is Dagster's word for it, such as QUEUED, STARTED, SUCCESS or FAILURE."""

    id: str
    job: str
    status: str
    created: datetime
    ended: datetime | None
    tags: Mapping[str, str]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in ENDED

    @property
    def went_well(self) -> bool:
        """Whether it has ended, and well."""
        return self.status == ENDED_WELL

    @property
    def short_id(self) -> str:
        """The id as the UI shows it."""
        return self.id[:8]

    @property
    def run_key(self) -> str:
        """What its sensor tells it from others by; empty where no sensor has asked for it."""
        return self.tags.get("dagster/run_key", "")

    @property
    def first_day(self) -> str | None:
        """The first partition that it is for, None where it is for none."""
        return self.tags.get("dagster/partition") or self.tags.get("dagster/asset_partition_range_start")

    @property
    def last_day(self) -> str | None:
        """The last partition that it is for, None where it is for none."""
        return self.tags.get("dagster/partition") or self.tags.get("dagster/asset_partition_range_end")


@dataclass(frozen=True)
class Tick:
    """One tick of a sensor: SKIPPED with a reason, SUCCESS with the runs that it asked for, FAILURE with the error."""

    at: datetime
    status: str
    skip_reason: str | None
    run_ids: tuple[str, ...]
    run_keys: tuple[str, ...]
    error: str | None


@dataclass(frozen=True)
class Check:
    """The newest execution of an asset check."""

    at: datetime
    passed: bool
    severity: str
    description: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AssetEvent:
    """A materialization or an observation of an asset; `metadata` holds the entries that are text, by label."""

    at: datetime
    run_id: str
    partition: str | None
    description: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class DagsterApi:
    """A Dagster webserver at `address`, such as http://127.0.0.1:3000; a question waits `timeout` seconds at most."""

    def __init__(self, address: str, *, timeout: float = 120.0) -> None:
        self.address = address
        self._timeout = timeout
        self._session = requests.Session()
        # Loopback is never reached through a proxy.
        self._session.trust_env = False

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data that answers a query. Raises DagsterError where the server does not answer, or refuses."""
        try:
            answer = self._session.post(
                f"{self.address}/graphql", json={"query": query, "variables": variables}, timeout=self._timeout
            )
            body: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise DagsterError(
                f"Dagster's webserver at {self.address} does not answer ({type(error).__name__})",
                remedy="Look whether it runs",
            ) from None
        if body.get("errors") or not body.get("data"):
            said = "; ".join(str(item.get("message")) for item in body.get("errors") or ())
            raise DagsterError(f"Dagster's webserver refuses a question ({said[:300] or 'it gave no data'})")
        data: dict[str, Any] = body["data"]
        return data

    def is_loaded(self) -> bool:
        """Whether the webserver answers and has the platform's definitions. Raises DagsterError where they are bad."""
        try:
            data = self.ask(queries.LOCATION, location=LOCATION)
        except DagsterError:
            return False
        entry = data["workspaceLocationEntryOrError"]
        loaded = (entry or {}).get("locationOrLoadError") or {}
        if loaded.get("__typename") == "PythonError":
            raise DagsterError(f"Dagster cannot load the definitions ({_one_line(loaded['message'])})")
        return loaded.get("__typename") == "RepositoryLocation"

    def sensors(self) -> list[str]:
        """Every sensor that there is."""
        return list(self._sensors())

    def stop_sensor(self, name: str) -> None:
        """Turns a sensor off, as in the UI. Raises DagsterError where there is none."""
        found = self._sensors()
        if name not in found:
            raise DagsterError(f"Dagster has no sensor {name}")
        _expected(self.ask(queries.STOP_SENSOR, id=found[name])["stopSensor"], "StopSensorMutationResult")

    def _sensors(self) -> dict[str, str]:
        found = self.ask(queries.SENSORS, repository=_repository())["sensorsOrError"]
        return {item["name"]: item["sensorState"]["id"] for item in _expected(found, "Sensors")["results"]}

    def runs(self, job: str, *, tags: Mapping[str, str] | None = None, limit: int = 100) -> list[Run]:
        """The runs of a job that have all of `tags`, the newest first."""
        wanted = {"pipelineName": job, "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]}
        found = _expected(self.ask(queries.RUNS, filter=wanted, limit=limit)["runsOrError"], "Runs")
        return [_run(item) for item in found["results"]]

    def run(self, run_id: str) -> Run:
        """One run. Raises DagsterError where there is none."""
        return _run(_expected(self.ask(queries.RUN, id=run_id)["runOrError"], "Run"))

    def failures_of(self, run_id: str) -> list[str]:
        """Why steps of a run failed, a line each, in the order in which they did."""
        found = _expected(self.ask(queries.EVENTS, id=run_id)["logsForRun"], "EventConnection")
        events = [item for item in found["events"] if item["__typename"] == "ExecutionStepFailureEvent"]
        return [_why(event) for event in events]

    def launch(self, job: str, *, partition: str | None = None, config: Mapping[str, Any] | None = None) -> str:
        """Launches a job, as a click in the UI does; the run's id. Raises DagsterError where it is refused."""
        tags = [{"key": "dagster/partition", "value": partition}] if partition else []
        selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "jobName": job}
        given = {"selector": selector, "runConfigData": dict(config or {}), "executionMetadata": {"tags": tags}}
        found = _expected(self.ask(queries.LAUNCH, parameters=given)["launchRun"], "LaunchRunSuccess")
        return str(found["run"]["runId"])

    def ticks(self, sensor: str, *, limit: int = 200) -> list[Tick]:
        """The newest ticks of a sensor, the oldest of them first."""
        selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "sensorName": sensor}
        found = _expected(self.ask(queries.TICKS, sensor=selector, limit=limit)["sensorOrError"], "Sensor")
        return [_tick(item) for item in reversed(found["sensorState"]["ticks"])]

    def check(self, table: str, name: str) -> Check | None:
        """The newest execution of a check of a table such as `gong.calls`, None before the first that has ended."""
        found = self.ask(queries.CHECK, asset=_asset(table), check=name)["assetCheckExecutions"]
        evaluation = found[0]["evaluation"] if found else None
        return _check(evaluation) if evaluation else None

    def observations(self, table: str, *, limit: int = 50) -> list[AssetEvent]:
        """The newest observations of a table, the oldest of them first."""
        found = self._node(queries.OBSERVATIONS, table, limit=limit)["assetObservations"]
        return [_asset_event(item) for item in reversed(found)]

    def materialization(self, table: str, partition: str) -> AssetEvent | None:
        """The newest materialization of one partition of a table, None where that is missing."""
        (found,) = self._node(queries.MATERIALIZATION, table, days=[partition])["latestMaterializationByPartition"]
        return _asset_event(found) if found else None

    def _node(self, query: str, table: str, **variables: Any) -> dict[str, Any]:
        return _expected(self.ask(query, asset=_asset(table), **variables)["assetNodeOrError"], "AssetNode")


def _repository() -> dict[str, str]:
    return {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY}


def _asset(table: str) -> dict[str, Sequence[str]]:
    return {"path": table.split(".")}


def _expected(found: dict[str, Any], kind: str) -> dict[str, Any]:
    """An answer of the wanted kind. Raises DagsterError for every other."""
    if found["__typename"] != kind:
        said = _one_line(found.get("message") or found["__typename"])
        raise DagsterError(f"Dagster's webserver gives no {kind} ({said})")
    return found


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _run(item: Mapping[str, Any]) -> Run:
    return Run(
        id=item["runId"],
        job=item["jobName"],
        status=item["status"],
        created=_moment(item["creationTime"]),
        ended=_moment(item["endTime"]) if item["endTime"] else None,
        tags={tag["key"]: tag["value"] for tag in item["tags"]},
    )


def _why(event: Mapping[str, Any]) -> str:
    told = (event.get("failureMetadata") or {}).get("description")
    return f"{event['stepKey']}: {_one_line(told or _cause(event.get('error')) or event['message'])}"


def _cause(error: Mapping[str, Any] | None) -> str | None:
    """What an error that Dagster wraps in its own says."""
    return str((error.get("cause") or error)["message"]) if error else None


def _tick(item: Mapping[str, Any]) -> Tick:
    return Tick(
        at=_moment(item["timestamp"]),
        status=item["status"],
        skip_reason=item["skipReason"],
        run_ids=tuple(item["runIds"]),
        run_keys=tuple(item["runKeys"]),
        error=_one_line(_cause(item["error"]) or "") or None,
    )


def _check(evaluation: Mapping[str, Any]) -> Check:
    return Check(
        at=_moment(evaluation["timestamp"]),
        passed=evaluation["success"],
        severity=evaluation["severity"],
        description=evaluation["description"] or "",
        metadata=_texts(evaluation["metadataEntries"]),
    )


def _asset_event(item: Mapping[str, Any]) -> AssetEvent:
    return AssetEvent(
        at=_moment(float(item["timestamp"]) / 1000),
        run_id=item["runId"],
        partition=item["partition"],
        description=item["description"] or "",
        metadata=_texts(item["metadataEntries"]),
    )


def _texts(entries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The metadata that is text, Markdown or a moment (in ISO 8601), by label."""
    found: dict[str, str] = {}
    for entry in entries:
        if entry.get("timestamp") is not None:
            found[entry["label"]] = _moment(entry["timestamp"]).isoformat()
        elif (text := entry.get("text") or entry.get("mdStr")) is not None:
            found[entry["label"]] = text
    return found
