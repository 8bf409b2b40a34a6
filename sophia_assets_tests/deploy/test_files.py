"""What `deploy/` says is true: files load, and what they name exists."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.settings.exporter import DEFAULT_PORT as EXPORTER_PORT
from sophia_assets.settings.web import DEFAULT_PORT as WEB_PORT
from sophia_assets_tests.deploy.container_file import read_stages
from sophia_assets_tests.deploy.files import DEPLOY, FOREIGN, accept, containers, document, objects, project, settings
from sophia_assets_tests.deploy.kubernetes_models import strict, strict_object

CONTAINERFILE = DEPLOY / "Containerfile"
IMAGE = f"sophia-assets:{project()['version']}"
VALUES = document("helm/dagster-values.yaml")
COMPOSE = document("compose.yaml")
OF_OURS = {name: service for name, service in COMPOSE["services"].items() if "sophia-assets" in service["image"]}
CODE_SERVER = VALUES["dagster-user-deployments"]["deployments"][0]
# What an installation beyond one machine says otherwise.
_OF_THE_PLACE = {"storage", "local_artifact_storage", "compute_logs", "run_launcher", "retention"}


def test_production_has_the_projects_own_rules_for_runs() -> None:
    own = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    production = document("dagster.yaml")
    shared = {name: own[name] for name in own if name not in _OF_THE_PLACE}
    assert {name: production[name] for name in production if name not in _OF_THE_PLACE} == shared
    assert own.get("retention") in (None, production["retention"])


def test_the_charts_values_have_the_same_rules_for_runs() -> None:
    production, daemon = document("dagster.yaml"), VALUES["dagsterDaemon"]
    runs, pools = production["concurrency"]["runs"], production["concurrency"]["pools"]
    assert VALUES["concurrency"] == {
        "enabled": True,
        "pools": {"defaultLimit": pools["default_limit"], "granularity": pools["granularity"]},
        "runs": {"maxConcurrentRuns": runs["max_concurrent_runs"]},
    }
    monitoring = production["run_monitoring"]
    assert daemon["runMonitoring"]["startTimeoutSeconds"] == monitoring["start_timeout_seconds"]
    assert daemon["runMonitoring"]["pollIntervalSeconds"] == monitoring["poll_interval_seconds"] <= 30
    # Dagster's own limit and the chart's must not both be set.
    assert "maxConcurrentRuns" not in daemon["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert daemon["runRetries"] == {"enabled": False}
    assert VALUES["additionalInstanceConfig"]["freshness"] == production["freshness"]
    assert VALUES["telemetry"] == production["telemetry"] == {"enabled": False}
    skipped = production["retention"]["sensor"]["purge_after_days"]
    assert VALUES["retention"]["sensor"]["purgeAfterDays"] == skipped


@pytest.mark.parametrize("name", sorted(objects()))
def test_every_kubernetes_object_is_what_the_server_takes(name: str) -> None:
    strict_object(objects()[name])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"spec": {"replica": 1}}, "spec.replica is no field"),
        ({"spec": {"replicas": "3"}}, "spec.replicas is '3'"),
        ({"spec": {"selector": {}, "template": {"spec": {"containers": [{"image": "x"}]}}}}, "`name`"),
    ],
)
def test_an_object_with_a_mistake_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        strict_object({"apiVersion": "apps/v1", "kind": "Deployment", **wrong})


def test_the_charts_values_hold_parts_that_kubernetes_takes() -> None:
    models = {
        "podSecurityContext": "V1PodSecurityContext",
        "securityContext": "V1SecurityContext",
        "resources": "V1ResourceRequirements",
        "volumes": "list[V1Volume]",
        "volumeMounts": "list[V1VolumeMount]",
        "env": "list[V1EnvVar]",
        "envConfigMaps": "list[V1ConfigMapEnvSource]",
        "envSecrets": "list[V1SecretEnvSource]",
        "livenessProbe": "V1Probe",
        "readinessProbe": "V1Probe",
        "startupProbe": "V1Probe",
    }
    seen = []
    for part in (VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], CODE_SERVER):
        for name, model in models.items():
            if name in part:
                content = part[name]
                if name.endswith("Probe"):
                    content = {key: item for key, item in content.items() if key != "enabled"}
                strict(content, model)
                seen.append(name)
    assert set(seen) == set(models)


def test_the_chart_makes_a_run_launcher_of_them_that_dagster_takes() -> None:
    from dagster._config import process_config
    from dagster_k8s.job import UserDefinedDagsterK8sConfig
    from dagster_k8s.launcher import K8sRunLauncher

    schema: Any = K8sRunLauncher.config_type()  # type: ignore[no-untyped-call]
    given = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    of_runs = given["runK8sConfig"]
    run_config = {
        "container_config": of_runs["containerConfig"],
        "pod_spec_config": of_runs["podSpecConfig"],
        "job_spec_config": of_runs["jobSpecConfig"],
    }
    checked = process_config(
        schema,
        {
            "service_account_name": "dagster",
            "instance_config_map": "dagster-instance",
            "dagster_home": VALUES["global"]["dagsterHome"],
            "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
            "load_incluster_config": given["loadInclusterConfig"],
            "image_pull_policy": given["imagePullPolicy"],
            "security_context": given["securityContext"],
            "run_k8s_config": run_config,
        },
    )
    assert checked.success, checked.errors
    UserDefinedDagsterK8sConfig.from_dict(run_config)  # type: ignore[no-untyped-call]


CHART = "SOPHIA_TEST_DAGSTER_CHART"


@pytest.mark.skipif(not os.environ.get(CHART), reason=f"{CHART} does not name the folder of Dagster's chart")
def test_the_charts_own_schema_takes_the_values() -> None:
    from jsonschema import Draft7Validator
    from referencing import Registry, Resource

    chart = Path(os.environ[CHART])
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    # Kubernetes' own part of the schema lies elsewhere; the models above know it.
    registry: Any = Registry(retrieve=lambda _: Resource.opaque({}))  # type: ignore[call-arg]
    problems = [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in Draft7Validator(schema, registry=registry).iter_errors(_merged(defaults, VALUES))
    ]
    assert problems == []
    assert VALUES.keys() <= defaults.keys() | {"additionalInstanceConfig"}
    templates = "".join(file.read_text(encoding="utf-8") for file in (chart / "templates").rglob("*.yaml"))
    assert "-instance" in templates


def _merged(under: Any, over: Any) -> Any:
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    return {key: _merged(under.get(key), over.get(key, under.get(key))) for key in {**under, **over}}


def test_every_name_in_an_environment_is_a_setting() -> None:
    named = set(objects()["ConfigMap/sophia-settings"]["data"]) | set(objects()["Secret/sophia-secrets"]["stringData"])
    for service in OF_OURS.values():
        named |= set(service["environment"])
    for stage in read_stages(CONTAINERFILE):
        named |= set(stage.environment)
    for part in (VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], CODE_SERVER, *containers().values()):
        named |= {item["name"] for item in part.get("env", [])}
    assert sorted(named - settings() - FOREIGN) == []


def test_what_kubernetes_is_told_makes_settings_that_fit_together(tmp_path: Path) -> None:
    from sophia_assets.settings import load_settings
    from sophia_assets.settings.profile import contradictions

    secrets = objects()["Secret/sophia-secrets"]["stringData"]
    instance = tmp_path / "dagster.yaml"
    instance.write_text(
        yaml.safe_dump(
            {
                "run_storage": {"module": "dagster_postgres.run_storage", "class": "PostgresRunStorage", "config": {}},
                "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": {}},
            }
        )
    )
    told = {**objects()["ConfigMap/sophia-settings"]["data"], **secrets}
    own = {"SOPHIA_AUDIT_KEY": "5f" * 32, "SOPHIA_DAGSTER_CONFIG": str(instance)}
    key = tmp_path / "key"
    key.write_text("5f0a" * 16)
    key.chmod(0o600)
    settings_there = load_settings({**told, **own, "SOPHIA_ENCRYPTION_KEY_FILE": str(key)})
    assert contradictions(settings_there) == []


@pytest.mark.parametrize(
    "words",
    [
        *(pytest.param(service["command"], id=name) for name, service in OF_OURS.items()),
        *(pytest.param(service["healthcheck"]["test"][1:], id=f"{name} health") for name, service in OF_OURS.items()),
        *(pytest.param(container["args"], id=name) for name, container in containers().items()),
        pytest.param(["dagster", "api", "grpc", "--port", "4000", *CODE_SERVER["dagsterApiGrpcArgs"]], id="chart"),
        pytest.param(VALUES["dagsterDaemon"]["livenessProbe"]["exec"]["command"], id="chart's daemon"),
    ],
)
def test_every_command_is_one_that_there_is(words: list[str]) -> None:
    if words[0] == "python":
        assert (PROJECT_ROOT / words[1].removeprefix("/opt/sophia/")).is_file()
    else:
        accept([word.replace("/opt/sophia", str(PROJECT_ROOT)) for word in words])


def test_ports_agree() -> None:
    web, exporter = containers()["sophia-web"], containers()["sophia-exporter"]
    assert [port["containerPort"] for port in web["ports"]] == [WEB_PORT]
    assert objects()["ConfigMap/sophia-settings"]["data"]["SOPHIA_WEB_PORT"] == str(WEB_PORT)
    assert [port["containerPort"] for port in exporter["ports"]] == [EXPORTER_PORT]
    assert _option(exporter["args"], "--port") == str(EXPORTER_PORT)
    allowed = {
        name: item["spec"]["ingress"][0]["ports"][0]["port"]
        for name, item in objects().items()
        if item["kind"] == "NetworkPolicy"
    }
    assert allowed == {
        "NetworkPolicy/sophia-web": WEB_PORT,
        "NetworkPolicy/sophia-exporter": EXPORTER_PORT,
        "NetworkPolicy/sophia-code": CODE_SERVER["port"],
        "NetworkPolicy/sophia-dagster-webserver": VALUES["dagsterWebserver"]["service"]["port"],
    }
    found = document("workspace.yaml")["load_from"][0]["grpc_server"]
    assert found["host"] in COMPOSE["services"]
    assert _option(COMPOSE["services"][found["host"]]["command"], "--port") == str(found["port"])
    for name, service in OF_OURS.items():
        for published in service.get("ports", []):
            assert published.rpartition(":")[2] == _option(service["command"], "--port"), name
        test = service["healthcheck"]["test"]
        if "python" in test:
            assert test[3] == _option(service["command"], "--port"), name


def test_every_probe_asks_for_what_is_served() -> None:
    from sophia_assets.web.watching import router

    served = {route.path for route in router.routes if hasattr(route, "path")}
    web = containers()["sophia-web"]
    asked = {web[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe", "startupProbe")}
    assert asked == {"/readyz", "/healthz"} <= served
    assert web["readinessProbe"]["httpGet"]["path"] == "/readyz"
    # A store that is down takes readers away; it is no reason to start the process again.
    assert web["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_every_image_of_ours_is_the_one_of_this_version() -> None:
    named = [service["image"] for service in OF_OURS.values()]
    named += [container["image"] for container in containers().values()]
    for part in (CODE_SERVER, VALUES["dagsterWebserver"], VALUES["dagsterDaemon"]):
        named.append(f"{part['image']['repository']}:{part['image']['tag']}")
    assert {name.rpartition("/")[2] for name in named} == {IMAGE}
    version = next(name for name in project()["dependencies"] if name.startswith("dagster==")).partition("==")[2]
    text = (DEPLOY / "helm" / "dagster-values.yaml").read_text(encoding="utf-8")
    assert f"--version {version} " in text


def test_every_secret_that_is_asked_for_is_there_and_told_of() -> None:
    asked = {("sophia-dagster-postgresql", "postgresql-password"), ("sophia-web-tls", "")}
    assert VALUES["global"]["postgresqlSecretName"] == "sophia-dagster-postgresql"
    parts = [*(item for item in objects().values() if item["kind"] in ("Deployment", "Ingress")), CODE_SERVER]
    text = json.dumps(parts)
    asked |= {(name, key) for name, key in re.findall(r'"secretKeyRef": {"name": "([^"]+)", "key": "([^"]+)"', text)}
    asked |= {(name, "") for name in re.findall(r'"(?:secretName|secretRef": {"name)": "([^"]+)"', text)}
    asked |= {(item["name"], "") for item in CODE_SERVER["envSecrets"]}
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for name, key in sorted(asked):
        assert f"`{name}`" in guide, name
        if name != "sophia-web-tls":
            held = objects()[f"Secret/{name}"]["stringData"]
            assert not key or key in held
            assert all(f"`{each}`" in guide for each in held), name


def test_no_file_holds_a_real_secret() -> None:
    for name, item in objects().items():
        if item["kind"] == "Secret":
            assert all("CHANGE-ME" in text for text in item["stringData"].values()), name


def test_volumes_and_settings_that_are_mounted_are_there() -> None:
    for content in [item for item in objects().values() if item["kind"] == "Deployment"]:
        spec = content["spec"]["template"]["spec"]
        _mounts_exist(spec["volumes"], spec["containers"][0]["volumeMounts"])
        for source in spec["containers"][0]["envFrom"]:
            kind, reference = next(iter(source.items()))
            assert f"{ {'configMapRef': 'ConfigMap', 'secretRef': 'Secret'}[kind] }/{reference['name']}" in objects()
    _mounts_exist(CODE_SERVER["volumes"], CODE_SERVER["volumeMounts"])
    declared = set(COMPOSE["volumes"])
    for name, service in COMPOSE["services"].items():
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            assert source in declared or source.startswith(("./", "${")), f"{name}: {mount}"
            if source.startswith("./"):
                assert (DEPLOY / source).is_file()


def _mounts_exist(volumes: list[dict[str, Any]], mounts: list[dict[str, Any]]) -> None:
    assert {mount["name"] for mount in mounts} == {volume["name"] for volume in volumes}
    for volume in volumes:
        if claim := volume.get("persistentVolumeClaim"):
            assert f"PersistentVolumeClaim/{claim['claimName']}" in objects()
        if config := volume.get("configMap"):
            assert config["name"] == "dagster-instance"


def test_no_process_runs_as_root_or_writes_beside_its_volumes() -> None:
    for service in OF_OURS.values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"] and "privileged" not in service
    parts = [VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], CODE_SERVER, *containers().values()]
    assert all(part["securityContext"]["readOnlyRootFilesystem"] for part in parts)
    final = read_stages(CONTAINERFILE)[-1]
    (user,) = final.of("USER")
    assert user.text == "10001:10001"


def test_dagsters_ui_is_published_on_this_machine_alone() -> None:
    assert COMPOSE["services"]["webserver"]["ports"] == ["127.0.0.1:3000:3000"]
    assert "ports" not in COMPOSE["services"]["code"]
    assert VALUES["dagsterWebserver"]["service"]["type"] == "ClusterIP"
    assert VALUES["ingress"] == {"enabled": False}


def test_services_wait_for_what_they_need() -> None:
    for name, service in COMPOSE["services"].items():
        for needed, how in (service.get("depends_on") or {}).items():
            assert how["condition"] == "service_healthy" and "healthcheck" in COMPOSE["services"][needed], name


def _option(words: list[str], name: str) -> str:
    return str(words[words.index(name) + 1])
