"""The doctor's own rules: deadlines, what is shown, what is compared, and what the command prints."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from sophia_assets.cli import main
from sophia_assets.doctor import clock, configuration, control_store, home_folder, machine, orchestrator, systems
from sophia_assets.doctor.examination import Check, Report, examine
from sophia_assets.doctor.findings import Finding, Findings, Standing, secrets_in, shown
from sophia_assets.doctor.looking import AREAS, look
from sophia_assets.doctor.patient import Skew
from sophia_assets.doctor.telling import closing, lines
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets_tests.environment import default_settings

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
about = Findings("gong")


def test_a_check_that_hangs_is_a_finding_and_what_it_had_found_stands() -> None:
    """The others are told all the same."""
    released, has_ended = threading.Event(), threading.Event()

    def hanging() -> Iterator[Finding]:
        yield about.ok("address", "it answers")
        released.wait(120)
        has_ended.set()

    found = examine([Check("gong", "system", hanging, 2), Check("home", "folder", lambda: [about.ok("a", "b")])])
    assert not has_ended.is_set()
    released.set()
    assert [(each.subject, each.standing) for each in found] == [
        ("address", Standing.OK), ("system", Standing.PROBLEM), ("a", Standing.OK),
    ]  # fmt: skip
    assert "did not end within 2 s" in found[1].told


def test_a_check_that_fails_unexpectedly_is_a_finding() -> None:
    """Never a traceback."""

    def failing() -> Iterator[Finding]:
        yield about.ok("share", str(1 / len("")))

    [found] = examine([Check("gong", "system", failing)])
    assert found.standing is Standing.PROBLEM
    assert "ZeroDivisionError" in found.told


def test_checks_that_wait_do_so_at_the_same_time() -> None:
    """Ten that meet at a barrier all come through."""
    barrier = threading.Barrier(10, timeout=60)

    def meeting() -> list[Finding]:
        return [about.ok("met", str(barrier.wait() >= 0))]

    found = examine([Check("gong", "system", meeting) for _ in range(10)])
    assert {each.told for each in found} == {"True"}


def test_no_secret_and_nothing_that_a_terminal_obeys_is_shown() -> None:
    """Whatever a vendor repeats."""
    environment = {
        "GONG_ACCESS_KEY_SECRET": "gong-very-secret",
        "SOPHIA_CONTROL_URL": "postgresql://sophia:p%40ssword1@db.example.com/control",
        "SOPHIA_ENCRYPTION_KEY_FILE": "/run/secrets/key",
    }
    told = "\x1b[31mgong-very-secret\x1b[0m said\nline two p@ssword1 p%40ssword1 \u202eevil /run/secrets/key"
    found = shown(about.problem("x", told, "use gong-very-secret"), secrets_in(environment))
    assert found.told == "[31m(hidden)[0m said line two (hidden) (hidden) evil /run/secrets/key"
    assert found.remedy == "use (hidden)"


def test_the_closing_line_counts() -> None:
    """As people read it; all is well only where nothing is to be said."""
    found = (about.problem("a", "b", "c"), about.warning("a", "b", "c"), about.ok("a", "b"), about.skipped("a", "b"))
    assert closing(Report(found, 4.21)) == "1 problem, 1 warning; 4 checks, 1 skipped in 4.2 s"
    assert closing(Report(found[1:], 0.5)) == "No problem, 1 warning; 3 checks, 1 skipped in 0.5 s"
    assert closing(Report(found[2:], 0.5)) == "All is well: no problem, no warning; 2 checks, 1 skipped in 0.5 s"


def test_problems_come_first_with_the_remedy_under_each() -> None:
    """Within the block of their area."""
    report = Report((about.ok("address", "answers"), about.problem("credential", "refused", "Renew it")), 1.0)
    told = [line.strip() for line in lines(report)]
    assert told[0].endswith("Gong\x1b[0m") or "Gong" in told[0]
    assert "credential: refused" in told[1]
    assert told[2] == "-> Renew it"
    assert "address: answers" in told[3]


@pytest.mark.parametrize(
    ("skews", "subject", "standing"),
    [
        ([0.2, -0.4, 0.1], "this machine", Standing.OK),
        ([600.0, 601.0, 599.0], "this machine", Standing.PROBLEM),
        ([-30.0, -31.0, -30.5], "this machine", Standing.WARNING),
        ([600.0, 0.1, 0.2], "clock 0", Standing.WARNING),
        ([600.0], "this machine", Standing.PROBLEM),
        ([], "this machine", Standing.SKIPPED),
    ],
)
def test_the_clock_that_differs_from_most_is_the_wrong_one(
    skews: list[float], subject: str, standing: Standing
) -> None:
    """Where most differ from this machine's by as much, it is this machine's."""
    [found] = clock.compared([Skew(f"clock {number}", each, 0.5) for number, each in enumerate(skews)], NOW)
    assert (found.subject, found.standing) == (subject, standing)


def test_a_home_on_a_network_file_system_is_seen_by_its_mount() -> None:
    """The longest mount point counts, and blanks in it are blanks."""
    mounts = "/dev/sda1 / ext4 rw 0 0\nserver:/x /mnt/the\\040share nfs4 rw 0 0\ntmpfs /mnt tmpfs rw 0 0\n"
    assert home_folder.file_system_of(Path("/mnt/the share/home"), mounts) == "nfs4"
    assert home_folder.file_system_of(Path("/mnt/other"), mounts) == "tmpfs"
    assert home_folder.file_system_of(Path("/home/ada"), mounts) == "ext4"


@pytest.mark.parametrize(
    ("megabytes", "standing"), [(8000, Standing.OK), (700, Standing.WARNING), (100, Standing.PROBLEM)]
)
def test_little_memory_is_told(megabytes: int, standing: Standing) -> None:
    """Before it is not enough."""
    [found] = machine.check_memory(megabytes * 1024 * 1024)
    assert found.standing is standing


def test_too_old_a_python_is_told() -> None:
    """With the one that is needed."""
    found = next(iter(machine.check_versions(">=3.99", [])))
    assert found.standing is Standing.PROBLEM
    assert ">=3.99" in found.told


def test_every_setting_of_the_example_is_a_known_name() -> None:
    """So that none is ever called mistyped."""
    listed = configuration._NAME.findall(configuration._EXAMPLE.read_text(encoding="utf-8"))
    environment = dict.fromkeys(listed, "")
    known = configuration.known_names(environment)
    assert len(listed) > 80
    assert set(listed) <= known
    assert "SOPHIA_GONG_BREAKER_FAILURE_THRESHOLD" in known


def test_a_mistyped_name_is_told_with_the_one_that_is_meant(tmp_path: Path) -> None:
    """Unless that one is set, too."""
    found = list(configuration.check_settings({"HUBSPOT_ACESS_TOKEN": "x"}, tmp_path))
    assert [(each.subject, each.standing) for each in found] == [("HUBSPOT_ACESS_TOKEN", Standing.WARNING)]
    both = {"SOPHIA_COMPANYNAME": "x", "SOPHIA_COMPANY_NAME": "y", "PATH": "/bin", "SOPHIA_OF_SOMEBODY_ELSE": "1"}
    assert [each.standing for each in configuration.check_settings(both, tmp_path)] == [Standing.OK]


def test_every_wrong_setting_is_told_and_nothing_rests_on_a_guess() -> None:
    """The areas that need settings are skipped."""
    report = look({"SOPHIA_BRIEFING_HOUR": "x", "SOPHIA_GONG_MODE": "lvie", "SOPHIA_WEB_PORT": "0"}, names=["settings"])
    assert {each.subject for each in report.findings if each.standing is Standing.PROBLEM} == {
        "SOPHIA_BRIEFING_HOUR", "SOPHIA_GONG_MODE", "SOPHIA_WEB_PORT",
    }  # fmt: skip


def test_a_daemon_that_is_needed_and_gone_is_a_problem_and_else_a_warning() -> None:
    """A simulated company on a laptop needs none."""
    told = {
        "storage": "SwiftRunStorage",
        "revisions": {"run": ("a", "b")},
        "monitors_runs": False,
        "daemons": {"SENSOR": {"heartbeat": (NOW - timedelta(hours=1)).timestamp(), "errors": []}},
        "running_runs": 0,
        "queued_runs": 30,
        "lost_runs": [],
        "instigators": [
            {"name": "circuit_gong", "kind": "sensor", "status": "STOPPED", "error": ""},
            {"name": "briefing", "kind": "schedule", "status": "RUNNING", "error": "boom"},
        ],
    }
    needed = list(orchestrator.judged(told, NOW, is_daemon_needed=True))
    assert [each.subject for each in needed if each.standing is Standing.PROBLEM] == ["daemon"]
    assert [each.subject for each in needed if each.standing is Standing.WARNING] == [
        "storage", "run monitoring", "runs", "schedules and sensors", "schedules and sensors",
    ]  # fmt: skip
    simulated = list(orchestrator.judged(told, NOW, is_daemon_needed=False))
    assert not [each for each in simulated if each.standing is Standing.PROBLEM]
    [daemon] = [each for each in simulated if each.subject == "daemon"]
    assert daemon.standing is Standing.WARNING
    assert "no sign of it since its last heartbeat, 2026-11-20 07:00 UTC (60 minutes ago)" in daemon.told
    assert "SwiftRunStorage" not in simulated[0].told


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Path]:
    """A folder without any setting or home."""
    with default_settings(tmp_path):
        yield tmp_path


def test_an_empty_home_is_a_warning_and_not_called_well(fresh: Path) -> None:
    """A wrong SOPHIA_HOME looks the same."""
    (fresh / "var").mkdir()
    result = CliRunner().invoke(main, ["doctor", "--offline"])
    assert result.exit_code == 0, result.output
    assert f"{fresh / 'var'} holds nothing yet" in result.output
    assert "Run `sophia run`" in result.output
    assert result.output.splitlines()[-1].startswith("No problem, 1 warning;")
    assert list((fresh / "var").iterdir()) == []


def test_a_home_that_is_named_and_not_there_is_a_problem(fresh: Path) -> None:
    """And none is made by looking."""
    result = CliRunner().invoke(main, ["doctor", "home", "--offline"])
    assert result.exit_code == 12
    assert f"SOPHIA_HOME is {fresh / 'var'}, and this folder does not exist" in result.output
    assert not (fresh / "var").exists()


@pytest.mark.parametrize(
    ("more", "is_well"), [({"SOPHIA_GONG_MODE": "live"}, False), ({"SOPHIA_TIMEZONE": "Asia/Tokyo"}, False), ({}, True)]
)
def test_settings_that_mean_another_company_than_the_home_holds_are_a_warning(
    fresh: Path, more: dict[str, str], is_well: bool
) -> None:
    """Since `sophia run` would open another home."""
    home = Home(fresh / "var")
    home.record_company(CompanyIdentity("simulated", seed=7, name="Northwind", timezone="UTC"))
    environment = {"SOPHIA_HOME": str(home.path), **more}
    report = look(environment, names=["home"], is_offline=True, folder=fresh)
    [company] = [each for each in report.findings if each.subject == "company"]
    assert (company.standing is Standing.OK) is is_well
    assert ("would read another one" in company.told) is not is_well


def test_a_live_home_looked_at_with_the_settings_of_the_sandbox_is_a_warning(fresh: Path) -> None:
    """And the other way round."""
    settings = load_settings({})
    live = CompanyIdentity("live", name="Acme")
    meant = home_folder.meant_company(settings, live)
    assert meant is not None and meant.kind == "simulated"
    all_live = load_settings({f"SOPHIA_{system.upper()}_MODE": "live" for system in registry.SYSTEMS})
    assert home_folder.meant_company(all_live, live) == CompanyIdentity("live", name="Your company")
    assert not CompanyIdentity("simulated", seed=7).is_same_company(live)


def test_live_systems_beside_sandboxed_ones_are_told_in_the_words_of_a_run() -> None:
    """Two companies in one briefing."""
    found = list(configuration.check_together(load_settings({"SOPHIA_GONG_MODE": "live"})))
    [mixed] = [each for each in found if "Gong is live and the rest is the sandbox" in each.told]
    assert mixed.standing is Standing.WARNING
    assert "mixes two companies" in mixed.told
    assert not [each for each in configuration.check_together(load_settings({})) if "mixes" in each.told]


def test_a_credential_that_is_set_beside_the_sandbox_is_told_to_be_unused() -> None:
    """Whoever set it believes that it is read."""
    [found] = systems.unused(load_settings({"HUBSPOT_ACCESS_TOKEN": "pat-a-token"}), "hubspot")
    assert found.standing is Standing.WARNING
    assert found.told == "HUBSPOT_ACCESS_TOKEN is set, and SOPHIA_HUBSPOT_MODE is sandbox, so it is not used"
    live = load_settings({"HUBSPOT_ACCESS_TOKEN": "pat-a-token", "SOPHIA_HUBSPOT_MODE": "live"})
    assert not list(systems.unused(live, "hubspot"))


def test_a_folder_for_checkpoints_that_is_not_there_is_a_problem(fresh: Path) -> None:
    """Before the store is even made."""
    environment = {"SOPHIA_HOME": str(fresh), "SOPHIA_AUDIT_CHECKPOINTS": str(fresh / "witness")}
    report = look(environment, names=["control"], is_offline=True, folder=fresh)
    [found] = [each for each in report.findings if each.subject == "checkpoint folder"]
    assert found.standing is Standing.PROBLEM
    assert f"{fresh / 'witness'}, which does not exist" in found.told
    (fresh / "witness").mkdir()
    assert look(environment, names=["control"], is_offline=True, folder=fresh).is_well


def test_a_store_of_an_older_migration_has_one_remedy() -> None:
    """Backing up, then any command."""
    [found] = control_store._judged("0001", "control.db").findings
    assert found.standing is Standing.WARNING
    assert found.remedy.startswith("Back it up; then")
    assert "Nothing need be done" not in found.remedy


def test_a_single_setting_is_counted_as_one(tmp_path: Path) -> None:
    """In the singular."""
    found = list(configuration.check_settings({"SOPHIA_SEED": "7"}, tmp_path))
    assert [each.told for each in found] == ["1 setting is set, and no name looks mistyped"]


def test_wrong_settings_of_the_log_are_findings_too(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As any other that is wrong; other commands refuse them."""
    monkeypatch.setenv("SOPHIA_LOG_FORMAT", "yaml")
    result = CliRunner().invoke(main, ["doctor", "settings", "--json"])
    assert result.exit_code == 12
    assert [each["subject"] for each in json.loads(result.output)["findings"]] == ["SOPHIA_LOG_FORMAT"]
    assert CliRunner().invoke(main, ["flags", "list"]).exit_code == 2


def test_the_command_prints_one_object_and_exits_with_12_where_there_is_a_problem(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every finding has its five fields."""
    monkeypatch.setenv("SOPHIA_TIMEZONE", "Nowhere")
    result = CliRunner().invoke(main, ["doctor", "--json"])
    told = json.loads(result.output)
    assert result.exit_code == 12
    assert told["is_well"] is False
    assert told["counts"]["problem"] == 1
    assert set(told["findings"][0]) == {"area", "subject", "standing", "told", "remedy"}
    assert told["duration_s"] >= 0


def test_an_unknown_name_is_refused_with_those_there_are(fresh: Path) -> None:
    """As any wrong argument."""
    result = CliRunner().invoke(main, ["doctor", "gnog"])
    assert result.exit_code == 2
    assert "'gnog'" in result.output and "gong" in result.output


def test_every_system_is_an_area() -> None:
    """A new source is looked at by itself."""
    assert set(registry.SYSTEMS) < set(AREAS)
