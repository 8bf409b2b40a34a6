"""Log lines: their fields, what they never hold, and that writing them disturbs nobody."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sophia_assets.errors import ConfigurationError, ConnectionFailed, SophiaError
from sophia_assets.home import Home
from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.settings.logs import FORMATS, LogSettings, is_secret, read_logs, secrets_of
from sophia_assets.sources import registry
from sophia_assets.telemetry import logs
from sophia_assets_tests.finished_home import services_of
from sophia_assets_tests.telemetry.log_in_json import log_in_json

_SETTING = re.compile(r"^#? ?([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)


class Log:
    """What was written to standard error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stream = StringIO()
        monkeypatch.setattr(logs, "_write", lambda line: self._stream.write(f"{line}\n"))

    def text(self) -> str:
        """All of it."""
        return self._stream.getvalue()

    def lines(self) -> list[dict[str, Any]]:
        """The lines, each of which has to be JSON."""
        return [json.loads(line) for line in self.text().split("\n") if line]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A log in JSON, from INFO on."""
    found = Log(monkeypatch)
    with log_in_json(monkeypatch):
        yield found


_log = logs.get_logger("sophia_assets.tests")
_CUSTOMER = "Canary Corp"


def test_a_line_says_when_how_bad_who_and_what(log: Log) -> None:
    with logs.bound(run_id="r1", job="ingest_gong", source="gong"):
        _log.info("a load ended", rows=3, is_whole=True, seconds=0.5)
    (line,) = log.lines()
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "info",
        "logger": "sophia_assets.tests",
        "event": "a load ended",
        "run_id": "r1",
        "job": "ingest_gong",
        "source": "gong",
        "rows": 3,
        "is_whole": True,
        "seconds": 0.5,
    }


def test_lines_of_other_libraries_have_the_same_fields_and_only_what_is_wrong_of_most(log: Log) -> None:
    with logs.bound(request_id="q1"):
        logging.getLogger("uvicorn.error").info("listening on %s", "here")
        for name in ("openai", "anthropic", "alembic.runtime", "slack_sdk.web", "urllib3"):
            logging.getLogger(name).info("chatter")
            logging.getLogger(name).warning("trouble")
    lines = log.lines()
    assert [line["event"] for line in lines] == ["listening on here", *["trouble"] * 5]
    assert {line["request_id"] for line in lines} == {"q1"}
    assert lines[1]["logger"] == "openai" and lines[1]["level"] == "warning"


def test_a_terminal_gets_lines_for_people_and_no_colours_where_it_is_none(log: Log) -> None:
    logs.configure(LogSettings("console", "warning"), {})
    _log.info("not shown")
    _log.warning("the cache is not used", problem="it is full", source="redis")
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d warning  the cache is not used  problem='it is full' source=redis\n", log.text()
    )


@pytest.mark.parametrize("form", FORMATS)
def test_no_secret_of_any_setting_is_shown(log: Log, form: str) -> None:
    names = dict(_SETTING.findall((PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")))
    secret = {name: f"Zq/{name}+canary é{number}" for number, name in enumerate(names) if is_secret(name)}
    addresses = {name: value for name, value in names.items() if re.search(r"://[^/]*:password@", value)}
    assert len(secret) >= 16 and len(addresses) >= 4, "the example names them"
    inner = {name: f"Zq-{name}-canary" for name in addresses}
    environment = secret | {name: value.replace(":password@", f":{inner[name]}@") for name, value in addresses.items()}
    logs.configure(LogSettings(form, "debug"), environment)
    for value in (*secret.values(), *inner.values(), *environment.values()):
        basic = b64encode(f"key:{value}".encode()).decode()
        _log.info(f"asked with {value}", header=f"Basic {basic}", url=f"https://h/x?y={quote(value, safe='')}")
        logging.getLogger("uvicorn").warning("with %r and %s", value, json.dumps({"it": value}))
        try:
            raise SophiaError(f"refused {value}") from OSError(value)
        except SophiaError:
            _log.exception("it failed", problem=value)
    assert "canary" not in log.text() and "Zq" not in log.text()
    assert log.text().count("[secret]") > 5 * len(environment)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer CANARYcanary.1234",
        "authorization=CANARY1234",
        "the token sophia_AbCdEfGhIjKl_CANARYCANARYCANARYCANARYCANARYCANARYCANA",
        "xoxb-12345-CANARY",
        "hapikey hapi-CANARY12345",
        "pat-na1-CANARY12-aaaa-bbbb",
        "sk-ant-api03-CANARY123",
        "lin_api_CANARY12345",
        "pcsk_CANARY_12345",
        "eyJhbGciOiJIUzI1.CANARYpayload.CANARYsig",
        "postgresql://sophia:CANARY@db/x",
        "redis://:CANARY@cache:6379/0",
        "GET /x?access_token=CANARY&b=1",
        '{"password": "CANARY"}',
        "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----",
        "CANARY.person@example.co.uk wrote",
        "écrit par CANARY.é@exämple.com",
    ],
)
def test_what_looks_like_a_secret_or_an_address_is_taken_out(log: Log, text: str) -> None:
    _log.warning(f"before {text} after", given=text)
    logging.getLogger("other").error("and %s", text)
    assert "CANARY" not in log.text()
    assert len(log.lines()) == 2


def test_names_of_series_and_modules_are_no_secrets(log: Log) -> None:
    told = "sophia_data_fetch_duration_seconds of sophia_assets_tests.telemetry.test_logs at https://example.com/a?b=c"
    _log.info(told)
    assert log.lines()[0]["event"] == told


def test_an_exception_shows_its_way_without_variables_and_without_what_may_be_data(log: Log) -> None:
    try:
        int(_CUSTOMER)
    except ValueError:
        _log.exception("it could not be read", problem=ValueError(_CUSTOMER))
    try:
        raise ConnectionFailed("the system does not answer", system="gong") from OSError(28, "No space left on device")
    except SophiaError as error:
        _log.error("it could not be read", exc_info=error)
    first, second = log.lines()
    assert "test_logs.py" in first["exception"] and first["exception"].endswith("ValueError")
    assert first["problem"] == "ValueError" and "Canary" not in log.text()
    assert (
        "No space left on device" in second["exception"] and "gong: the system does not answer" in second["exception"]
    )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\x0b", "\u2028", "\u0085", "\x1b[2K\r", "\x00"])
def test_nobody_can_forge_a_line(log: Log, form: str, end: str) -> None:
    logs.configure(LogSettings(form, "info"), {})
    forged = f'x{end}12:00:00 error    forged{end}{{"level":"error","event":"forged"}}'
    with logs.bound(source=forged):
        _log.warning(forged, given=forged)
        logging.getLogger("other").warning(forged)
        try:
            raise SophiaError(forged)
        except SophiaError:
            _log.exception("failed")
    whole = log.text().rstrip("\n")
    for line in whole.splitlines():
        assert not line.startswith(("12:00:00", '{"level"', "\x1b")) and "\x1b" not in line and "\x00" not in line
        assert form == "json" or re.match(r"\d\d:\d\d:\d\d (?:warning|error)  |    \| ", line), line


def test_fields_stay_with_their_thread_and_task(log: Log) -> None:
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        with logs.bound(source=f"s{number}", run_id=f"r{number}"):
            barrier.wait(10)
            for _ in range(20):
                _log.info(f"r{number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))

    async def request(number: int) -> None:
        with logs.bound(source="web"):
            logs.bind(run_id=f"q{number}")
            await asyncio.sleep(0)
            _log.info(f"q{number}")

    async def requests() -> None:
        await asyncio.gather(*(request(number) for number in range(20)))

    asyncio.run(requests())
    lines = log.lines()
    assert len(lines) == 180 and all(line["run_id"] == line["event"] for line in lines)
    _log.info("outside")
    assert "run_id" not in log.lines()[-1] and not logs.fields()


def test_a_thread_is_given_the_fields_of_whoever_starts_it(log: Log) -> None:
    with logs.bound(source="gong"):
        work = logs.carried(lambda: _log.info("read"))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert log.lines()[0]["source"] == "gong"


def test_whatever_is_logged_becomes_a_line(log: Log) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("canary")

        __repr__ = __str__

    _log.warning("one", it=Broken())
    _log.warning("two %d and %s", "x")
    _log.warning("three \ud800", it="\udfff")
    _log.warning("four", number=2**80, nothing=None, nan=float("nan"), many=list(range(5)))
    _log.warning("five " + "x" * 1_000_000)
    _log.warning("six", **{f"field{number}": number for number in range(500)})
    _log.warning("100 % of it")
    record = logging.LogRecord("other", logging.WARNING, __file__, 1, "seven %s", (Broken(),), None)
    next(each for each in logging.getLogger().handlers if isinstance(each, logs._StandardError)).handle(record)
    lines = log.lines()
    assert [line["event"].split()[0] for line in lines[1:7]] == ["two", "three", "four", "five", "six", "100"]
    assert "could not be made" in lines[0]["event"] and len(lines) == 8
    assert len(lines[4]["event"]) < 9_000 and len(lines[5]) <= 40


def test_a_thread_that_dies_is_a_line(log: Log) -> None:
    def work() -> None:
        raise KeyError(_CUSTOMER)

    thread = threading.Thread(target=work, name="reader")
    thread.start()
    thread.join()
    (line,) = log.lines()
    assert line["level"] == "error" and line["thread"] == "reader" and line["exception"].endswith("KeyError")
    assert "Canary" not in log.text()


_WORK = """
import sys
from sophia_assets.settings.logs import LogSettings
from sophia_assets.telemetry import logs
logs.configure(LogSettings(sys.argv[1], "info"), {})
for _ in range(100):
    logs.get_logger("sophia_assets.x").warning("a line", text="x" * 500)
print("done")
"""


@pytest.mark.parametrize("end", ["2>/dev/full", "2>&-", "2>&1 >/dev/null | head -c 1 >/dev/null", "2>/dev/null"])
def test_a_log_that_cannot_be_written_ends_no_work(end: str, tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text(_WORK)
    done = tmp_path / "done"
    command = f"{{ {sys.executable} {script} json {end}; echo $? > {done}; }}"
    if "|" in end:
        command = f"{{ {sys.executable} {script} json; echo $? > {done}; }} {end}"
    finished = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, cwd=PROJECT_ROOT, timeout=60, check=False
    )
    assert done.read_text().strip() == "0", finished.stderr
    assert "|" in end or finished.stdout == "done\n"


def test_what_another_program_prints_becomes_lines_of_ours(log: Log) -> None:
    theirs = [
        b'{"event": "a tick", "level": "INFO", "logger": "dagster.daemon", "timestamp": "2026-11-20T10:00:00.1Z"}\n',
        b"Traceback (most recent call last):\n",
        b"password=CANARY \xff\n",
        b"[1, 2]\n",
        b"\n",
    ]
    logs.collect(theirs, "dagster").join(10)
    lines = log.lines()
    assert lines[0] == {
        "timestamp": "2026-11-20T10:00:00.1Z",
        "level": "info",
        "logger": "dagster.daemon",
        "event": "a tick",
    }
    assert [line["logger"] for line in lines[1:]] == ["dagster"] * 3
    assert "CANARY" not in log.text()


@pytest.mark.parametrize("system", registry.SYSTEMS)
def test_a_failing_request_shows_no_credential(system: str, log: Log, tmp_path: Path) -> None:
    declared = registry.settings_of(system)
    values = {name: f"Zq-{name}-canary" for name in declared.names if is_secret(name)}
    nowhere = "http://127.0.0.1:9"
    places = {name: f"{nowhere}/" for name in declared.names if name.endswith(("_URL", "_INDEX_HOST"))}
    if system == "redis":
        places, values = {"REDIS_URL": "redis://u:Zq-canary@127.0.0.1:9/0"}, {}
    if system == "snowflake":
        places = {
            "SNOWFLAKE_ACCOUNT": "x",
            "SNOWFLAKE_USER": "u",
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": "9",
            "SNOWFLAKE_PROTOCOL": "http",
            "SNOWFLAKE_WAREHOUSE": "w",
        }
        values = {"SNOWFLAKE_PASSWORD": "Zq-canary"}
    settings = {f"SOPHIA_{system.upper()}_MODE": "live", **places, **values}
    logs.configure(LogSettings("json", "debug"), settings)
    home = Home(tmp_path)
    home.prepare()
    services = services_of(home, settings)
    try:
        with pytest.raises(SophiaError) as raised:
            services.connections.ping(system, timedelta(seconds=5))
        _log.error("it failed", exc_info=raised.value, problem=raised.value)
    finally:
        services.close()
    assert "canary" not in log.text() and "it failed" in log.text()


def test_settings_of_logs_are_checked() -> None:
    assert read_logs({}) == LogSettings("console", "warning")
    assert read_logs({"SOPHIA_LOG_FORMAT": "JSON"}) == LogSettings("json", "info")
    for wrong in ({"SOPHIA_LOG_FORMAT": "xml"}, {"SOPHIA_LOG_LEVEL": "loud"}, {"SOPHIA_LOG_COLOUR": "red"}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            read_logs(wrong)


def test_files_and_short_words_are_no_secrets() -> None:
    environment = {"SOPHIA_WEB_TLS_KEY": "/etc/tls.key", "SNOWFLAKE_PRIVATE_KEY_PATH": "/k.pem", "X_TOKEN": "abc"}
    assert secrets_of(environment) == frozenset()
    assert secrets_of({"SOPHIA_AUDIT_OLD_KEYS": "first, second"}) == {"first, second", "first", "second"}
