"""Snowflake, as fakesnow's engine behind the wire that the real connector speaks.

The login is checked here; every other request is answered by fakesnow. Importing fakesnow takes
seconds, so `start` does it in a thread, and a login that arrives earlier waits for it.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import CompanyData, SnowflakeData, SnowflakeTable
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, read_object, retry_after
from sophia_assets.sandbox.standins.faults import FaultBoard
from sophia_assets.sandbox.standins.standin import OnDone, Standin, VendorErrors

if TYPE_CHECKING:
    import pyarrow
    from fakesnow.instance import FakeSnow

LOGIN_PATH = "/session/v1/login-request"
QUERY_PATH = "/queries/v1/query-request"
WRONG_CREDENTIAL = "390100"


def failure(code: str, message: str, status: int = 200, headers: dict[str, str] | None = None) -> JsonAnswer:
    """A refusal as Snowflake's wire says it: HTTP 200 and `success` false."""
    body = {"data": {}, "code": code, "message": message, "success": False, "headers": None}
    return JsonAnswer(body, status, headers)


class SnowflakeErrors(VendorErrors):
    """Snowflake's answers for the failures that a fault can cause."""

    def unauthorized(self) -> Response:
        """A refused login."""
        return failure(WRONG_CREDENTIAL, "Incorrect username or password was specified.")

    def rate_limited(self, seconds: float) -> Response:
        """Too many requests."""
        return failure("390114", "Too many requests", 429, retry_after(seconds))

    def server_error(self) -> Response:
        """A service that is unavailable for the moment."""
        return failure("390144", "Service unavailable", 503)


def create(company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> SnowflakeStandin:
    """The stand-in for the company's Snowflake, which has no request limits."""
    if company.snowflake is None:
        raise ValueError("the company has no Snowflake")
    return SnowflakeStandin(company.snowflake, credentials.snowflake_user, credentials.snowflake_password, faults)


class SnowflakeStandin(Standin):
    """Serves a company's Snowflake account at the root of its host."""

    system = "snowflake"
    errors = SnowflakeErrors()

    def __init__(self, data: SnowflakeData, user: str, password: str, faults: FaultBoard) -> None:
        super().__init__()
        self._data = data
        self._user = user
        self._password = password
        self._faults = faults
        self._ready = asyncio.Event()
        self._engine: FakeSnow | None = None
        self._failure: Exception | None = None

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {
            "SNOWFLAKE_ACCOUNT": "sandbox",
            "SNOWFLAKE_USER": self._user,
            "SNOWFLAKE_PASSWORD": self._password,
            "SNOWFLAKE_DATABASE": self._data.database,
            "SNOWFLAKE_WAREHOUSE": "SANDBOX_WH",
            "SNOWFLAKE_ROLE": "SANDBOX_READER",
            "SNOWFLAKE_HOST": host,
            "SNOWFLAKE_PORT": str(port),
            "SNOWFLAKE_PROTOCOL": "http",
        }

    def start(self, on_done: OnDone) -> None:
        """Load the engine and the data in a thread; `on_done` is called in the event loop, with what went wrong."""
        loop = asyncio.get_running_loop()

        def work() -> None:
            try:
                self._engine = load_engine(self._data)
            except Exception as problem:
                self._failure = problem
            loop.call_soon_threadsafe(done)

        def done() -> None:
            self._ready.set()
            on_done(self._failure)

        threading.Thread(target=work, name="snowflake-standin", daemon=True).start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, once the engine is there."""
        await self._ready.wait()
        if self._engine is None:
            await SnowflakeErrors().server_error()(scope, receive, send)
        elif scope["path"] == LOGIN_PATH:
            await (await self._login(Request(scope, receive)))(scope, receive, send)
        else:
            from fakesnow.server import app

            empty = scope["path"] == QUERY_PATH and self._faults.active("snowflake", "empty")
            await app(scope, receive, _emptied(send) if empty else send)

    async def _login(self, request: Request) -> Response:
        from fakesnow.server import sessions
        from fakesnow.transforms import SERVER_VERSION

        assert self._engine is not None
        try:
            body = (await read_object(request)).get("data") or {}
        except MalformedBody as problem:
            return failure("390101", f"malformed login request: {problem}", 400)
        if body.get("LOGIN_NAME") != self._user or not self._password_is(body.get("PASSWORD")):
            return SnowflakeErrors().unauthorized()
        parameters = body.get("SESSION_PARAMETERS") or {}
        named = {key: request.query_params.get(f"{key}Name") for key in ("database", "schema", "warehouse")}
        token = secrets.token_urlsafe(32)
        sessions[token] = self._engine.connect(
            _identifier(named["database"]), _identifier(named["schema"]), autocommit=parameters.get("AUTOCOMMIT", True)
        )
        return JsonAnswer(
            {
                "data": {
                    "token": token,
                    "masterToken": secrets.token_urlsafe(32),
                    "serverVersion": SERVER_VERSION,
                    "parameters": [
                        {"name": "AUTOCOMMIT", "value": parameters.get("AUTOCOMMIT", True)},
                        {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
                        {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
                        {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
                    ],
                    "sessionInfo": {
                        "databaseName": named["database"],
                        "schemaName": named["schema"],
                        "warehouseName": named["warehouse"],
                        "roleName": request.query_params.get("roleName"),
                    },
                },
                "success": True,
            }
        )

    def _password_is(self, given: Any) -> bool:
        return isinstance(given, str) and secrets.compare_digest(given.encode(), self._password.encode())


def _identifier(name: str | None) -> str | None:
    return name.strip('"').upper() if name else None


def _emptied(send: Send) -> Send:
    """Take the rows out of a query's answer."""
    held: dict[str, Message] = {}

    async def without_rows(message: Message) -> None:
        if message["type"] == "http.response.start":
            held["start"] = message
            return
        answer = orjson.loads(message["body"])
        if (answer.get("data") or {}).get("rowsetBase64"):
            answer["data"] |= {"rowsetBase64": _no_rows(answer["data"]["rowsetBase64"]), "total": 0}
        await JsonAnswer(answer, held["start"]["status"])({"type": "http"}, _nothing, send)

    return without_rows


async def _nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _no_rows(stream: str) -> str:
    import pyarrow

    schema = pyarrow.ipc.open_stream(base64.b64decode(stream)).schema
    sink = pyarrow.BufferOutputStream()
    # The schema alone: the real connector crashes on a batch without rows.
    pyarrow.ipc.new_stream(sink, schema).close()
    return base64.b64encode(sink.getvalue().to_pybytes()).decode()


def load_engine(data: SnowflakeData) -> FakeSnow:
    """A fakesnow instance that holds the data. Raises ConfigurationError for a table that it cannot hold."""
    import fakesnow.server  # noqa: F401 - imported here, in the thread, because it takes seconds
    from fakesnow.instance import FakeSnow

    logging.getLogger("fakesnow.server").setLevel(logging.CRITICAL)
    engine = FakeSnow()
    database = data.database.upper()
    for table in data.tables:
        schema, _, name = table.name.upper().partition(".")
        connection = engine.connect(database, schema)
        try:
            columns = ", ".join(f"{column} {kind}" for column, kind in table.columns.items())
            connection.cursor().execute(f"CREATE TABLE {name} ({columns})")
            _fill(engine, f"{database}.{schema}.{name}", table)
        except Exception as problem:
            raise ConfigurationError(
                f"table {table.name} cannot be served: {problem}", system="snowflake", remedy="Check its columns' types"
            ) from problem
        finally:
            connection.close()
    # A database that does not exist is an error in Snowflake, not created by connecting.
    engine.create_database_on_connect = engine.create_schema_on_connect = False
    return engine


def _fill(engine: FakeSnow, name: str, table: SnowflakeTable) -> None:
    if not table.rows:
        return
    import pyarrow

    columns = zip(*table.rows, strict=True)
    rows = pyarrow.table([_array(values) for values in columns], names=list(table.columns))
    with engine.duck_conn.cursor() as duck:
        duck.register("_rows", rows)
        duck.execute(f"INSERT INTO {name} SELECT * FROM _rows")
        duck.unregister("_rows")


def _array(values: Sequence[Any]) -> pyarrow.Array:
    """A column as Arrow; where the values' types are mixed, as text, which the insert casts."""
    import pyarrow

    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
        return pyarrow.array([_text(value) for value in values], pyarrow.string())


def _text(value: Any) -> str | None:
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return None if value is None else str(value)
