"""Another `dagster.yaml` than the project's: what it says is opened, and what does not fit together is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import WorkerStatus

from sophia_assets.errors import ConfigurationError, ControlStoreUnavailable
from sophia_assets.home import Home
from sophia_assets.orchestration.container_launcher import SERVER_TAG, ContainerRunLauncher
from sophia_assets.orchestration.instance import dagster_home_for, instance_for
from sophia_assets.settings import PROJECT_ROOT, Settings, load_settings
from sophia_assets.settings.profile import contradictions, refuse_contradictions
from sophia_assets_tests.control.postgres import postgres_server, postgres_url, with_driver
from sophia_assets_tests.environment import default_settings

__all__ = ("postgres_server", "postgres_url")
PRODUCTION = PROJECT_ROOT / "deploy" / "dagster.yaml"
PASSWORD = "canary-dagster-password"
NOWHERE = f"postgresql+psycopg2://sophia:{PASSWORD}@127.0.0.1:1/nowhere"
KUBERNETES = {
    "run_storage": {"module": "dagster_postgres.run_storage", "class": "PostgresRunStorage", "config": {}},
    "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": {}},
}
FITTING = {
    "SOPHIA_WAREHOUSE": "snowflake",
    "SOPHIA_CONTROL_URL": "postgresql://sophia:x@db.example.com/control",
    "SOPHIA_AUDIT_KEY": "5f0a" * 16,
    "SOPHIA_CACHE_URL": "redis://cache.example.com/0",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def _settings(home: Home, config: Path | None = PRODUCTION, **more: str) -> Settings:
    named = {"SOPHIA_DAGSTER_CONFIG": str(config)} if config else {}
    return load_settings({"SOPHIA_HOME": str(home.path), **named, **more})


def _written(folder: Path, content: Mapping[str, Any]) -> Path:
    file = folder / "other.yaml"
    file.write_text(yaml.safe_dump(dict(content)), encoding="utf-8")
    return file


def test_without_the_setting_the_storages_lie_in_the_home(home: Home) -> None:
    with instance_for(home, _settings(home, None)) as instance:
        assert instance.get_runs() == []
    assert (home.dagster / "history").is_dir()


def test_the_production_file_opens_postgres_and_what_is_stored_there_is_there_for_the_next(
    home: Home, postgres_url: str
) -> None:
    settings = _settings(home, SOPHIA_DAGSTER_POSTGRES_URL=with_driver(postgres_url))
    with instance_for(home, settings, runs_here=True) as instance:
        assert isinstance(instance.run_launcher, ContainerRunLauncher)
        done = dg.materialize([_table], instance=instance)
    with instance_for(Home(home.path / "another"), settings) as instance:
        assert [run.run_id for run in instance.get_runs()] == [done.run_id]
        assert instance.get_latest_materialization_event(dg.AssetKey("_table")) is not None
        storage = instance.get_ref().storage_data
        assert storage is not None and storage.class_name == "PooledPostgresStorage"
    assert list(home.path.rglob("*.db")) == []


@dg.asset
def _table() -> None:
    """Something that is stored."""


@pytest.mark.long
def test_a_storage_that_does_not_answer_is_told_without_its_password(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ControlStoreUnavailable, match="cannot be reached") as told:
        instance_for(home, _settings(home, SOPHIA_DAGSTER_POSTGRES_URL=NOWHERE))
    assert PASSWORD not in str(told.value) and PASSWORD not in caplog.text


def test_what_the_file_needs_and_nobody_has_set_is_named(home: Home) -> None:
    with pytest.raises(ConfigurationError, match="SOPHIA_DAGSTER_POSTGRES_URL is not set"):
        instance_for(home, _settings(home))


def test_the_folder_for_dagsters_commands_holds_no_password(home: Home) -> None:
    settings = _settings(home, SOPHIA_DAGSTER_POSTGRES_URL=NOWHERE)
    text = (dagster_home_for(home, settings) / "dagster.yaml").read_text(encoding="utf-8")
    assert PASSWORD not in text
    written = yaml.safe_load(text)
    assert written["storage"]["custom"]["config"]["postgres_url"] == {"env": "SOPHIA_DAGSTER_POSTGRES_URL"}
    assert written["compute_logs"]["config"]["base_dir"] == str(home.dagster)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "mysql", "sqlite", ""])
def test_an_address_that_dagster_would_take_for_another_driver_is_refused(home: Home, scheme: str) -> None:
    with pytest.raises(ConfigurationError, match=r"postgresql\+psycopg2://") as told:
        _settings(home, SOPHIA_DAGSTER_POSTGRES_URL=f"{scheme}://sophia:{PASSWORD}@db/name")
    assert PASSWORD not in str(told.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: No such file"),
        (b"", "holds no settings"),
        (b"- a\n- b\n", "holds no settings"),
        (b"1: a\n", "holds no settings"),
        (b"storage: [a\nb: {", "line .* is no YAML"),
        (b"\xff\xfe\x00", "is no text"),
        (b"storage: {papyrus: {}}\n", "is no configuration of Dagster"),
        ("größe: ä\n".encode(), "is no configuration of Dagster"),
        (b"storage: {custom: {module: nothing.there, class: It, config: {}}}\n", "cannot be opened"),
    ],
)
def test_a_file_that_says_nothing_useful_is_told_in_one_line(home: Home, content: bytes | None, told: str) -> None:
    file = home.path.parent / "broken.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=told) as raised:
        instance_for(home, _settings(home, file))
    assert "\n" not in str(raised.value)


def test_a_setting_of_dagsters_that_does_not_exist_is_refused(home: Home) -> None:
    with pytest.raises(ConfigurationError, match="SOPHIA_DAGSTER_CONFG is set, which is no setting"):
        _settings(home, None, SOPHIA_DAGSTER_CONFG="x")


def test_settings_that_fit_together_are_let_through(home: Home) -> None:
    settings = _settings(home, _written(home.path.parent, KUBERNETES), **FITTING)
    assert contradictions(settings) == []


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"SOPHIA_WAREHOUSE": "duckdb"}, "a DuckDB file serves one machine"),
        ({"SOPHIA_CONTROL_URL": ""}, "the control store is a file"),
        ({"SOPHIA_CONTROL_URL": "sqlite:////mnt/control.db"}, "the control store is a file"),
        ({"SOPHIA_AUDIT_KEY": ""}, "sign the audit trail with another key"),
        ({"REDIS_URL": "rediss://reader:x@cache.example.com:6379/0"}, "the product's Redis"),
    ],
)
def test_runs_on_machines_of_their_own_share_nothing_that_is_a_file(
    home: Home, wrong: dict[str, str], told: str
) -> None:
    settings = _settings(home, _written(home.path.parent, KUBERNETES), **{**FITTING, **wrong})
    with pytest.raises(ConfigurationError, match=told):
        refuse_contradictions(settings)
    with pytest.raises(ConfigurationError, match=told):
        instance_for(home, settings)


def test_dagsters_storage_has_to_be_on_a_server_where_runs_are_elsewhere(home: Home) -> None:
    config = _written(home.path.parent, {"run_launcher": KUBERNETES["run_launcher"]})
    with pytest.raises(ConfigurationError, match="Dagster's storage is a file"):
        refuse_contradictions(_settings(home, config, **FITTING))


def test_what_an_operator_should_know_is_told_and_nothing_refused(home: Home) -> None:
    settings = _settings(
        home,
        SOPHIA_CONTROL_URL="postgresql://sophia:x@db.example.com/one",
        SOPHIA_DAGSTER_POSTGRES_URL="postgresql+psycopg2://dagster:y@db.example.com:5432/one",
        SOPHIA_HUBSPOT_MODE="live",
    )
    found = contradictions(settings)
    assert ["the same database" in item.message for item in found].count(True) == 1
    assert any("checkpoints" in item.message for item in found)
    assert not any(item.is_refused for item in found)
    refuse_contradictions(settings)


def test_jobs_are_not_run_here_where_a_monitor_elsewhere_would_take_them_for_lost(home: Home) -> None:
    settings = _settings(home, _written(home.path.parent, KUBERNETES), **FITTING)
    with pytest.raises(ConfigurationError, match=r"K8sRunLauncher.*take a run of this process for lost"):
        instance_for(home, settings, runs_here=True)


def test_the_definitions_are_not_loaded_with_settings_that_contradict_each_other(tmp_path: Path) -> None:
    file = _written(tmp_path, KUBERNETES)
    with default_settings(tmp_path):
        done = subprocess.run(
            [sys.executable, "-c", "import sophia_assets.definitions"],
            env={"SOPHIA_DAGSTER_CONFIG": str(file), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            timeout=150,
        )
    assert done.returncode == 1
    assert "a DuckDB file serves one machine only" in done.stderr.splitlines()[-1]


class _Server:
    def __init__(self, answer: str | None) -> None:
        self.answer = answer

    def get_server_id(self, timeout: int) -> str:
        if self.answer is None:
            raise DagsterUserCodeUnreachableError("nobody there")
        return self.answer


def test_a_run_is_lost_when_another_code_server_answers_and_not_while_none_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        launcher = ContainerRunLauncher()
        launcher.register_instance(instance)
        run = instance.create_run_for_job(_job, status=dg.DagsterRunStatus.STARTED, tags={SERVER_TAG: "first"})
        found = []
        for server in ("first", "second", None):
            monkeypatch.setattr(launcher, "_get_grpc_client_for_termination", lambda _, it=server: _Server(it))
            found.append(launcher.check_run_worker_health(run).status)
        assert found == [WorkerStatus.RUNNING, WorkerStatus.NOT_FOUND, WorkerStatus.RUNNING]


@dg.job
def _job() -> None:
    """Nothing."""
