"""Alert rules, their runbooks and the dashboard: each of them complete, and nothing in them that is not exported."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sophia_assets.control.breaker import State
from sophia_assets.observability.objectives import AVAILABILITY, QUESTION_ERRORS
from sophia_assets.settings import load_settings
from sophia_assets.telemetry import labels
from sophia_assets.telemetry.exporter.known_labels import ENDED, UNDER_WAY, known_labels
from sophia_assets.telemetry.series import every_series
from sophia_assets_tests.deploy import alert_files as files
from sophia_assets_tests.deploy.alert_files import Matcher, Rule

PROMTOOL, AMTOOL = shutil.which("promtool"), shutil.which("amtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")

# What the labels of gauges may hold; those of counters are told by the exporter itself.
WORDS: dict[tuple[str, str], Iterable[str]] = {
    ("sophia_circuit_state", "state"): [str(state) for state in State],
    ("sophia_system_mode", "mode"): ("live", "sandbox", "off"),
    ("sophia_data_freshness_limit_seconds", "level"): ("warn", "fail"),
    ("sophia:freshness:share_of_limit", "level"): ("warn", "fail"),
    ("sophia_run_age_seconds", "status"): UNDER_WAY,
    ("sophia_runs_total", "status"): ENDED,
    ("sophia_cache_requests_total", "cache"): labels.CACHES,
    ("sophia_cache_requests_total", "outcome"): labels.CACHE_OUTCOMES,
    ("sophia_questions_total", "status"): labels.QUESTION_STATUSES,
    ("sophia_verification_sentences_total", "outcome"): labels.SENTENCE_OUTCOMES,
    ("sophia_principle_reviews_total", "outcome"): labels.REVIEW_OUTCOMES,
    ("sophia_data_validation_failures_total", "severity"): labels.SEVERITIES,
    ("sophia_rows_loaded_total", "change"): labels.ROW_CHANGES,
    ("sophia_http_requests_total", "status"): ("2xx", "3xx", "4xx", "5xx"),
    ("ALERTS", "alertstate"): ("pending", "firing"),
    ("ALERTS", "severity"): ("critical", "warning", "info"),
}
FREE = {("up", "job"), ("ALERTS", "alertname"), ("sophia_tick_age_seconds", "instigator")}


def expressions() -> list[tuple[str, str]]:
    """Every expression of the rules, their texts and the dashboard, with where it stands."""
    found = [(rule.name, rule.expr) for rule in files.rules()]
    found += [(rule.name, query) for rule in files.alerts() for query in rule.queries]
    return found + list(files.expressions_of_dashboard())


def promtool(*arguments: str) -> str:
    """What promtool says; fails where it finds something."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_every_series_that_is_named_is_exported_or_recorded() -> None:
    known = files.labels_by_series()
    unknown = {(where, name) for where, text in expressions() for name in files.named_in(text).series - known.keys()}
    assert not unknown


def test_every_label_that_is_named_belongs_to_its_series() -> None:
    known = files.labels_by_series()
    unknown = set()
    for where, text in expressions():
        named = files.named_in(text)
        unknown |= {(where, each.series, each.label) for each in named.matchers if each.label not in known[each.series]}
        # `label_replace` of sophia:mode makes two more of `name`.
        made = {"source", "provider"} if where == "sophia:mode" else set[str]()
        there = made.union(*(known[name] for name in named.series))
        unknown |= {(where, "grouped by", label) for label in named.grouped_by - there}
    assert not unknown


def test_every_value_of_a_label_that_is_asked_for_can_occur() -> None:
    settings = load_settings({})
    exported = {(name, label): values for name, label, values in _exported_values(known_labels(settings))}
    wrong = []
    for where, text in expressions():
        for matcher in files.named_in(text).matchers:
            if matcher.value in (".*", "gong", "localhost") or (matcher.series, matcher.label) in FREE:
                continue
            wrong += [(where, matcher, word) for word in matcher.words if word not in _allowed(matcher, exported)]
    assert not wrong


def _exported_values(known: dict[str, set[tuple[str, ...]]]) -> Iterable[tuple[str, str, set[str]]]:
    declared = {series.name: series.labels for series in every_series()}
    for name, sets in known.items():
        for place, label in enumerate(declared[name]):
            yield name, label, {values[place] for values in sets}


def _allowed(matcher: Matcher, exported: dict[tuple[str, str], set[str]]) -> set[str]:
    if matcher.series.startswith("sophia:objective"):
        return {rule.labels["slo"] for rule in files.rules() if rule.name == matcher.series}
    key = matcher.series, matcher.label
    return set(WORDS.get(key, ())) | exported.get(key, set())


def test_every_alert_says_how_grave_it_is_what_is_wrong_and_where_to_read_on() -> None:
    for rule in files.alerts():
        severity = rule.labels["severity"]
        grave = {"critical", "warning"} & set(re.findall(r"\w+", severity))
        assert len(grave) == 1, rule.name
        assert set(rule.annotations) == {"summary", "description", "runbook_url"}, rule.name
        assert rule.annotations["runbook_url"] == "{{ $externalLabels.runbooks }}#" + rule.name.lower()
        says_value = any("$value" in text for text in rule.annotations.values())
        assert says_value or _holds_or_not(rule), f"{rule.name} does not say how much"


def _holds_or_not(rule: Rule) -> bool:
    return re.search(r"(== [01]\b|\bup\b)", rule.expr) is not None


def test_what_is_about_a_system_goes_by_how_that_is_used() -> None:
    for rule in files.alerts():
        concerns = {"source", "provider", "name"} & set(
            files.named_in(rule.expr).grouped_by
        ) or "sophia:fetch" in rule.expr
        templated = '{{ if eq $labels.mode "sandbox" }}info' in rule.labels["severity"]
        assert bool(concerns) == templated == ("group_left (mode) sophia:mode" in rule.expr), rule.name


def test_a_ratio_is_never_judged_by_a_few_events() -> None:
    for rule in files.alerts():
        if any(sign in rule.expr for sign in ("ratio_", "histogram_quantile", "])) /")):
            assert re.search(r"(count_\w+|increase\(.*?\]\)\)) >= [\d.]+", rule.expr), f"{rule.name} wants a minimum"


def test_what_is_promised_is_what_alerts_burn_on() -> None:
    burnt_on = {rule.labels["slo"]: rule.expr for rule in files.rules() if rule.name == "sophia:objective:ratio"}
    wrong = 1 - (QUESTION_ERRORS.target or 0)
    assert burnt_on == {"questions": f"vector({wrong:g})", "fetches": f"vector({AVAILABILITY.target:g})"}


def test_every_alert_has_the_four_cases() -> None:
    for rule in files.alerts():
        own = [group for group in files.groups() if group.name == rule.name]
        assert len(own) == 1, f"{rule.name} has {len(own)} groups of its name"
        looks = sorted((look for look in own[0].looks if look.alert == rule.name), key=lambda look: look.minutes)
        firing = [place for place, look in enumerate(looks) if look.firing]
        assert firing, f"{rule.name} never fires"
        assert firing[0] > 0, f"{rule.name} has no case for not yet"
        assert firing[-1] < len(looks) - 1, f"{rule.name} has no case for resolved"
        for place in firing:
            for alert in looks[place].firing:
                assert alert["exp_labels"]["severity"], rule.name
                assert set(alert["exp_annotations"]) == set(rule.annotations), rule.name
        absent = [look for group in files.groups() if not group.series for look in group.looks]
        assert rule.name in {look.alert for look in absent}, f"{rule.name} has no case for absent series"


def test_every_input_of_a_case_is_a_declared_series_with_its_labels() -> None:
    known = files.labels_by_series()
    for group in files.groups():
        for series in group.series:
            name = series.partition("{")[0]
            assert name in known, (group.name, name)
            stray = {
                label for label, *_ in re.findall(r"(\w+)=\"", series) if isinstance(label, str) and len(label) > 1
            }
            assert stray <= known[name], (group.name, series)


def test_no_input_of_a_case_is_a_hexadecimal_number_by_mistake() -> None:
    inputs = [(group.name, each["values"]) for group in files.groups() for each in group.content["input_series"]]
    # `0x20` is thirty-two, once; twenty zeros more are `0+0x20`.
    assert [(name, values) for name, values in inputs if re.search(r"(^|\s)0x", str(values))] == []


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert list(files.runbook_sections()) == [rule.name for rule in files.alerts()]


@pytest.mark.parametrize("part", ["For readers", "See it", "Likely causes", "Do", "It ends", "Do not"])
def test_every_runbook_has_every_part(part: str) -> None:
    lacking = [name for name, text in files.runbook_sections().items() if f"**{part}" not in text]
    assert not lacking


def test_every_alert_that_a_runbook_or_an_inhibition_mentions_exists() -> None:
    names = {rule.name for rule in files.alerts()}
    for path in (files.RUNBOOKS, files.RULES):
        assert set(re.findall(r"\bSophia[A-Z]\w+", path.read_text())) <= names, path
    assert _inhibited() <= names


def _alertmanager() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((files.PROMETHEUS / "alertmanager.yaml").read_text())
    return content


def _meant_by(matchers: list[str]) -> set[str]:
    """The alerts that a rule's matchers stand for."""
    pattern = "|".join(matcher.partition("=")[2].strip('~"') for matcher in matchers)
    return {rule.name for rule in files.alerts() if re.fullmatch(pattern, rule.name)}


def _inhibited() -> set[str]:
    return {
        name
        for rule in _alertmanager()["inhibit_rules"]
        for side in ("source_matchers", "target_matchers")
        for matcher in rule[side]
        for name in re.findall(r"Sophia\w+(?![\w(])", matcher)
    }


def test_an_inhibition_compares_only_labels_that_both_alerts_carry() -> None:
    external = set(yaml.safe_load((files.PROMETHEUS / "prometheus.yaml").read_text())["global"]["external_labels"])
    carried = {
        look.alert: set(alert["exp_labels"])
        for group in files.groups()
        for look in group.looks
        for alert in look.firing
    }
    for rule in _alertmanager()["inhibit_rules"]:
        sources, targets = _meant_by(rule["source_matchers"]), _meant_by(rule["target_matchers"])
        assert sources, rule
        assert targets, rule
        assert not sources & targets, rule
        for name in sources | targets:
            assert set(rule["equal"]) <= carried[name] | external, (name, rule["equal"])


def test_every_severity_has_somebody_who_is_told_or_says_that_nobody_is() -> None:
    content = _alertmanager()
    receivers = {receiver["name"] for receiver in content["receivers"]}
    routes = {route["matchers"][0]: route["receiver"] for route in content["route"]["routes"]}
    assert routes == {'severity="info"': "nobody", 'severity="critical"': "on-call"}
    assert {content["route"]["receiver"], *routes.values()} == receivers


@pytest.mark.skipif(AMTOOL is None, reason="amtool is not installed (Debian: prometheus-alertmanager)")
def test_alertmanager_takes_its_configuration() -> None:
    assert AMTOOL is not None
    subprocess.run([AMTOOL, "check-config", files.PROMETHEUS / "alertmanager.yaml"], check=True, capture_output=True)


@needs_promtool
def test_prometheus_takes_the_rules_and_its_configuration(tmp_path: Path) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(files.RULES))
    for path in files.PROMETHEUS.glob("*.yaml"):
        shutil.copy(path, tmp_path)
    token = tmp_path / "sophia-web.token"
    token.write_text("token")
    config = tmp_path / "prometheus.yaml"
    config.write_text(config.read_text().replace("/etc/prometheus/sophia-web.token", str(token)))
    promtool("check", "config", "--lint-fatal", str(config))


@needs_promtool
@pytest.mark.parametrize(
    ("where", "targets"), [("With compose.yaml", "127.0.0.1:443"), ("On Kubernetes", "sophia-web-pods")]
)
def test_prometheus_takes_the_jobs_that_are_written_for_other_places(tmp_path: Path, where: str, targets: str) -> None:
    text = (files.PROMETHEUS / "prometheus.yaml").read_text()
    _, _, behind = text.partition(f"  # {where}")
    block = re.findall(r"(?m)^  # (- job_name: .*|  .*)$", behind.partition("\n\n")[0])
    token = tmp_path / "sophia-web.token"
    token.write_text("token")
    jobs = yaml.safe_load("\n".join(block).replace("/etc/prometheus/sophia-web.token", str(token)))
    assert targets in str(jobs[-1])
    content = yaml.safe_load(text) | {"rule_files": []}
    replaced = {job["job_name"] for job in jobs}
    content["scrape_configs"] = [job for job in content["scrape_configs"] if job["job_name"] not in replaced] + jobs
    path = tmp_path / "prometheus.yaml"
    path.write_text(yaml.safe_dump(content))

    promtool("check", "config", "--lint-fatal", str(path))


def test_no_panel_draws_a_count_or_money_by_the_scale_of_something_else() -> None:
    panels = {panel["title"]: panel for panel in files.panels()}
    for title, unit in (
        ("Tokens and cost", "currencyUSD"),
        ("How long requests take, and how many wait", "short"),
    ):
        [override] = panels[title]["fieldConfig"]["overrides"]
        assert override["matcher"] == {"id": "byFrameRefID", "options": "B"}, title
        assert "B" in {target["refId"] for target in panels[title]["targets"]}, title
        assert {"id": "unit", "value": unit} in override["properties"], title


def test_the_web_is_scraped_with_a_token_from_a_file_and_no_secret_is_committed() -> None:
    content = yaml.safe_load((files.PROMETHEUS / "prometheus.yaml").read_text())
    jobs = {job["job_name"]: job for job in content["scrape_configs"]}
    assert jobs["sophia-web"]["authorization"] == {
        "type": "Bearer",
        "credentials_file": "/etc/prometheus/sophia-web.token",
    }
    assert content["rule_files"] == [files.RULES.name]
    asked_for = {word for _, text in expressions() for each in files.named_in(text).matchers for word in each.words}
    assert {"sophia", "sophia-web"} <= asked_for & jobs.keys()


@needs_promtool
def test_every_expression_of_the_dashboard_and_of_the_texts_parses(tmp_path: Path) -> None:
    recorded = [{"record": f"n{place}", "expr": text} for place, (_, text) in enumerate(expressions())]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}))
    assert f"{len(recorded)} rules found" in promtool("check", "rules", "--lint=none", str(path))


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    content = files.dashboard()
    assert content["id"] is None
    assert content["schemaVersion"] >= 39
    assert {each["name"] for each in content["templating"]["list"]} == {"datasource", "source"}
    ids = [panel["id"] for panel in content["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in content["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
    for panel in files.panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        assert panel["description"], panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs)), panel["title"]


def test_the_dashboard_shows_whatever_is_exported() -> None:
    shown = {name for _, text in files.expressions_of_dashboard() for name in files.named_in(text).series}
    recorded = {rule.name: files.named_in(rule.expr).series for rule in files.rules() if not rule.is_alert}
    for _ in range(2):
        shown |= {name for each in shown & recorded.keys() for name in recorded[each]}
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} | shown
    missing = {series.name for series in every_series()} - plain
    # Told by other series: an age by its moment, and what the exporter says of itself.
    assert missing <= {
        "sophia_rows",
        "sophia_last_load_timestamp_seconds",
        "sophia_data_reaches_timestamp_seconds",
        "sophia_data_validations_total",
        "sophia_retention_removed_total",
        "sophia_tick_duration_seconds",
        "sophia_exporter_collector_up",
        "sophia_exporter_collector_seconds",
    }
