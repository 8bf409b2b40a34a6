"""Production as `deploy/` describes it, run whole: real PostgreSQL, real Redis, every process by its own command.

One story, told once: a first load, Dagster with its sensors, a briefing, two readers, the exporter; then processes are
killed and the installation is restored from its backups. Each test looks at a part of it.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from sophia_assets.drill.dagster_api import Run
from sophia_assets.drill.processes import Child
from sophia_assets.ports import free_port
from sophia_assets_tests.control.postgres import with_driver
from sophia_assets_tests.deploy.installation import SYSTEMS, Answer, Installation, installed
from sophia_assets_tests.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.takes(180), pytest.mark.timeout(1500)]

QUESTION = "How many open deals do we have?"
_SEEN_WITHIN_S = 60.0


@dataclass
class Story:
    """What was seen."""

    place: Installation
    token: str = ""
    first_run: Answer = field(default_factory=lambda: Answer(-1, ""))
    ingested: dict[str, Run] = field(default_factory=dict)
    briefing: Run | None = None
    tables: dict[str, int] = field(default_factory=dict)
    cached: list[str] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    session_at_the_other: int = 0
    metrics: str = ""
    queued_without_daemon: str = ""
    after_daemon: Run | None = None
    killed_run: Run | None = None
    killed_run_seen_s: float = 0.0
    lost_run: Run | None = None
    lost_run_seen_s: float = 0.0
    after_all: Run | None = None
    memory: dict[str, int] = field(default_factory=dict)
    restored: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story, from the first load to the restored installation."""
    with installed(tmp_path_factory.mktemp("production")) as place:
        told = Story(place)
        _first_load(told)
        code, daemon, webserver = _with_dagster(told)
        _with_readers(told, code, daemon, webserver)
        daemon = _without_daemon(told, daemon)
        code = _killed(told, code)
        _restore(told)
        yield told


def _first_load(story: Story) -> None:
    place = story.place
    added = place.sophia("users", "add", "ada", "--role", "executive")
    assert added.code == 0, added.text
    story.token = re.findall(r"sophia_\S+", added.text)[0]
    story.first_run = place.sophia("run", "--date", place.days[-2].isoformat(), seconds=480)
    assert story.first_run.code == 0, story.first_run.text


def _with_dagster(story: Story) -> tuple[Child, Child, Child]:
    """Dagster's three processes; its sensors find what is missing, and a click launches the briefing."""
    place, day = story.place, story.place.days[-1].isoformat()
    started = place.start("code"), place.start("daemon"), place.start("webserver")
    place.wait_for_dagster()

    def read() -> dict[str, Run] | None:
        place.children.raise_if_one_ended()
        runs = {system: place.dagster.runs(f"ingest_{system}") for system in SYSTEMS}
        done = {system: run for system in SYSTEMS for run in runs[system] if run.went_well and run.last_day == day}
        return done if len(done) == len(SYSTEMS) else None

    story.ingested = until(read, "the sensors read every system", 300)
    story.briefing = _ended(place, place.dagster.launch("daily_briefing", partition=day), 240)
    return started


def _ended(place: Installation, run_id: str, seconds: float) -> Run:
    def ended() -> Run | None:
        run = place.dagster.run(run_id)
        return run if run.has_ended else None

    return until(ended, f"the run {run_id} ends", seconds)


def _with_readers(story: Story, *dagster: Child) -> None:
    """Two readers and the exporter."""
    place = story.place
    other = free_port()
    ports = (place.ports["web"], other)
    readers = place.start("web"), place.start("web", name="second web", port=other)
    exporter = place.start("exporter")
    for port in ports:
        until(lambda port=port: _is_ready(place, port), "the reader is ready")  # type: ignore[misc]
    bearer = {"Authorization": f"Bearer {story.token}"}
    for port in ports:
        asked = place.page("web", "/api/chat", port=port, json={"query": QUESTION}, headers=bearer)
        assert asked is not None
        story.answers.append(asked.json())
    story.session_at_the_other = _log_in_and_cross(story, *ports)
    story.metrics = until(lambda: _exported(place), "the exporter serves")
    story.tables = _rows(place)
    found = place.redis.command("KEYS *").decode(errors="replace")
    story.cached = re.findall(r"sophia:cache:\S+", found)
    story.memory = place.memory(*dagster, *readers, exporter)
    print(f"MB of memory: {story.memory}")


def _is_ready(place: Installation, port: int) -> bool | None:
    place.children.raise_if_one_ended()
    answer = place.page("web", "/readyz", port=port)
    return (answer is not None and answer.status_code == 200) or None


def _log_in_and_cross(story: Story, here: int, there: int) -> int:
    """Logs in at one reader, and shows the session to the other one; the status of the page there."""
    place = story.place
    form = place.page("web", "/login", port=here)
    assert form is not None
    field_name, value = re.findall(r'name="(csrf_token)"[^>]*value="([^"]+)"', form.text)[0]
    entered = {"token": story.token, field_name: value, "next": "/"}
    logged_in = place.page("web", "/login", port=here, data=entered, cookies=form.cookies)
    assert logged_in is not None and logged_in.status_code == 303, logged_in and logged_in.text
    page = place.page("web", "/", port=there, cookies=logged_in.cookies)
    assert page is not None
    return page.status_code


def _exported(place: Installation) -> str | None:
    answer = place.page("exporter", "/metrics")
    is_whole = answer is not None and answer.status_code == 200 and "sophia_runs" in answer.text
    return answer.text if answer is not None and is_whole else None


def _rows(place: Installation) -> dict[str, int]:
    """How many rows each database on the server has in tables that count."""
    wanted = {place.control_url: ("audit", "sessions", "users", "measures"), place.dagster_url: ("runs", "event_logs")}
    found = {}
    for url, tables in wanted.items():
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg2"))
        with engine.connect() as connection:
            for table in tables:
                found[table] = int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
        engine.dispose()
    return found


def _without_daemon(story: Story, daemon: Child) -> Child:
    """The daemon is killed; what is launched meanwhile waits, and goes on with the next one."""
    place = story.place
    place.kill(daemon)
    waiting = place.dagster.launch("look_at_data_health")
    time.sleep(2)  # as long as a daemon would take to see it
    story.queued_without_daemon = place.dagster.run(waiting).status
    begun = place.start("daemon", name="second daemon")
    story.after_daemon = _ended(place, waiting, 120)
    return begun


def _killed(story: Story, code: Child) -> Child:
    """The process of a run is killed; then the code server together with a run, as where a container ends."""
    place = story.place
    place.faults.add("gong:slow:20")
    story.killed_run, story.killed_run_seen_s = _kill_and_watch(place, code)
    lost = _at_work(place, code)
    place.kill(code, with_all=True)
    # Until another server answers, nobody can know.
    code = place.start("code", name="second code")
    begun_at = time.monotonic()
    story.lost_run = _ended(place, lost, 120)
    story.lost_run_seen_s = time.monotonic() - begun_at
    place.faults.clear("gong")
    place.sophia("circuit", "reset", "gong", "--reason", "the test is over")
    again = place.dagster.launch("ingest_gong", partition=place.days[-1].isoformat())
    story.after_all = _ended(place, again, 180)
    return code


def _kill_and_watch(place: Installation, code: Child) -> tuple[Run, float]:
    run_id = _at_work(place, code)
    for process in place.runs_of(code):
        process.kill()
    killed_at = time.monotonic()
    return _ended(place, run_id, 120), time.monotonic() - killed_at


def _at_work(place: Installation, code: Child) -> str:
    """A run that reads, and will for long."""
    run_id = place.dagster.launch("ingest_gong", partition=place.days[-1].isoformat())

    def is_at_work() -> bool | None:
        run = place.dagster.run(run_id)
        assert not run.has_ended, place.dagster.failures_of(run_id)
        return (run.status == "STARTED" and bool(place.runs_of(code))) or None

    until(is_at_work, "the run is at work", 120)
    return run_id


def _restore(story: Story) -> None:
    """Backs up as the guide says, restores elsewhere, and reads there."""
    place = story.place
    copy = place.folder / "restored"
    shutil.copytree(place.home, copy, ignore=shutil.ignore_patterns("*.lock"))
    restored = {}
    for name, url in (("SOPHIA_CONTROL_URL", place.control_url), ("SOPHIA_DAGSTER_POSTGRES_URL", place.dagster_url)):
        dump = place.folder / f"{name}.dump"
        place.tool("pg_dump", "--format=custom", f"--file={dump}", url)
        fresh = place.postgres.new_database()
        place.tool("pg_restore", "--exit-on-error", f"--dbname={fresh}", str(dump))
        restored[name] = fresh
    restored["SOPHIA_DAGSTER_POSTGRES_URL"] = with_driver(restored["SOPHIA_DAGSTER_POSTGRES_URL"])
    other = {**restored, "SOPHIA_HOME": str(copy)}
    day = place.days[-1].isoformat()
    story.restored = {
        "audit": place.sophia("audit", "verify", environment=other),
        "briefing": place.sophia("briefing", "verify", "--date", day, environment=other),
        "users": place.sophia("users", "list", environment=other),
        "answer": place.sophia("ask", QUESTION, "--json", environment=other),
    }


def test_the_first_load_leaves_its_runs_in_postgres_and_nothing_of_dagsters_in_the_home(story: Story) -> None:
    assert story.tables["runs"] >= 10 and story.tables["event_logs"] > 500
    databases = [str(file.relative_to(story.place.home)) for file in story.place.home.rglob("*.db")]
    assert databases == []


def test_the_sensors_read_what_was_missed_and_the_briefing_is_published(story: Story) -> None:
    assert set(story.ingested) == set(SYSTEMS)
    assert story.briefing is not None and story.briefing.went_well
    folder = story.place.home / "briefings" / story.place.days[-1].isoformat()
    assert {"briefing.html", "briefing.md", "briefing.json"} <= {file.name for file in folder.iterdir()}


def test_the_control_store_is_in_postgres(story: Story) -> None:
    assert story.tables["audit"] > 0 and story.tables["users"] == 1 and story.tables["sessions"] >= 1
    assert story.tables["measures"] > 0


def test_both_readers_answer_alike_and_share_the_cache(story: Story) -> None:
    first, second = story.answers
    assert first["status"] == second["status"] == "answered", first
    assert first["response"] == second["response"]
    assert story.cached


def test_who_logged_in_at_one_reader_is_logged_in_at_the_other(story: Story) -> None:
    assert story.session_at_the_other == 200


def test_the_exporter_serves_what_the_runs_have_done(story: Story) -> None:
    rows = re.findall(r'^sophia_data_freshness_seconds\{[^}]*source="hubspot"[^}]*\} (\S+)$', story.metrics, re.M)
    assert rows and all(float(row) < 3600 for row in rows)
    ages = re.findall(r"^sophia_daemon_heartbeat_age_seconds\{[^}]*\} (\S+)$", story.metrics, re.M)
    assert ages and min(map(float, ages)) < 120


def test_what_is_launched_without_a_daemon_waits_for_the_next_one(story: Story) -> None:
    assert story.queued_without_daemon == "QUEUED"
    assert story.after_daemon is not None and story.after_daemon.went_well


def test_a_killed_run_is_seen_within_a_minute(story: Story) -> None:
    assert story.killed_run is not None and story.killed_run.status == "FAILURE"
    print(f"seen after {story.killed_run_seen_s:.1f} s")
    assert story.killed_run_seen_s < _SEEN_WITHIN_S


def test_a_run_that_is_lost_with_its_code_server_is_seen_within_a_minute_of_the_next_one(story: Story) -> None:
    assert story.lost_run is not None and story.lost_run.status == "FAILURE"
    print(f"seen after {story.lost_run_seen_s:.1f} s")
    assert story.lost_run_seen_s < _SEEN_WITHIN_S


def test_what_was_killed_goes_on_afterwards(story: Story) -> None:
    assert story.after_all is not None and story.after_all.went_well


def test_what_the_guide_backs_up_is_enough_to_go_on_elsewhere(story: Story) -> None:
    for what, answer in story.restored.items():
        assert answer.code == 0, f"{what}: {answer.text}"
    assert "ada" in story.restored["users"].text


def test_no_file_is_written_where_dagsters_file_lies_which_may_be_read_only(story: Story) -> None:
    found = [path.name for path in story.place.dagster_home.rglob("*") if path.is_file()]
    assert found == ["dagster.yaml"]
