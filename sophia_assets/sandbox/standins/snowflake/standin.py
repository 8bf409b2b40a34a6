"""Snowflake, as fakesnow's engine behind the wire that the real connector speaks.

The login is checked here; every other request is answered by fakesnow. Importing fakesnow takes
seconds, so `start` does it in a thread, and a login that arrives earlier waits for it.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from sophia_assets.sandbox.company_data import CompanyData, SnowflakeTable
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.answers import JsonAnswer, MalformedBody, read_object, retry_after
from sophia_assets.sandbox.standins.faults import Fault, FaultBoard
from sophia_assets.sandbox.standins.snowflake import engine
from sophia_assets.sandbox.standins.snowflake.changes import changed, untidy
from sophia_assets.sandbox.standins.snowflake.login import ACCOUNT, ROLE, WAREHOUSE, WRONG_CREDENTIAL, Doorkeeper
from sophia_assets.sandbox.standins.standin import OnDone, Standin, VendorErrors

if TYPE_CHECKING:
    from fakesnow.instance import FakeSnow

LOGIN_PATH = "/session/v1/login-request"
SESSION_PATH = "/session"
QUERY_PATH = "/queries/v1/query-request"


def failure(code: str, message: str, status: int = 200, headers: dict[str, str] | None = None) -> JsonAnswer:
    """A refusal as Snowflake's wire says it: HTTP 200 and `success` false."""
    body = {"data": {}, "code": code, "message": message, "success": False, "headers": None}
    return JsonAnswer(body, status, headers)


def _no_warehouse() -> JsonAnswer:
    """A query in a session without a warehouse."""
    message = (
        "No active warehouse selected in the current session.  "
        "Select an active warehouse with the 'use warehouse' command."
    )
    data = {"errorCode": "000606", "sqlState": "57P03"}
    return JsonAnswer({"data": data, "code": "000606", "message": message, "success": False})


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
        return failure("000000", "Service unavailable", 503)


def create(company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> SnowflakeStandin:
    """The stand-in for the company's Snowflake, which has no request limits."""
    doorkeeper = Doorkeeper(
        credentials.snowflake_user, credentials.snowflake_password, credentials.snowflake_public_key
    )
    return SnowflakeStandin(company, doorkeeper, faults)


class SnowflakeStandin(Standin):
    """Serves a company's Snowflake account at the root of its host."""

    system = "snowflake"
    errors = SnowflakeErrors()

    def __init__(self, company: CompanyData, doorkeeper: Doorkeeper, faults: FaultBoard) -> None:
        super().__init__()
        self._doorkeeper = doorkeeper
        self._faults = faults
        self._ready = asyncio.Event()
        self._engine: FakeSnow | None = None
        self._failure: Exception | None = None
        self._filling = threading.Lock()
        self._untidy: float | None = None
        self._without_warehouse: set[str] = set()
        self._tables: list[SnowflakeTable] = []
        self.load(company)

    def load(self, company: CompanyData) -> None:
        """Serve this company from now on, in sessions that are open, too. It must use Snowflake."""
        if company.snowflake is None:
            raise ValueError("the company has no Snowflake")
        self._database = company.snowflake.database
        self._serve(company.snowflake.tables)

    def play(self, fault: Fault) -> None:
        """See `Standin.play`."""
        self._serve(changed(self._tables, fault))

    def _serve(self, tables: Sequence[SnowflakeTable]) -> None:
        with self._filling:
            gone = {table.name for table in self._tables} - {table.name for table in tables}
            self._tables = list(tables)
            if self._engine is not None:
                engine.drop(self._engine, self._database, sorted(gone))
                engine.fill(self._engine, self._database, self._shown())

    def _shown(self) -> list[SnowflakeTable]:
        """The tables, as untidy as a `pages` fault has them."""
        if self._untidy is None:
            return self._tables
        return [untidy(table, self._untidy) for table in self._tables]

    def _tidy_up(self) -> None:
        """Make the tables untidy, or tidy again, where that has been asked for."""
        fault = self._faults.active("snowflake", "pages")
        seed = fault.argument if fault else None
        if seed != self._untidy:
            self._untidy = seed
            self._serve(self._tables)

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`."""
        return {
            "SNOWFLAKE_ACCOUNT": ACCOUNT.lower(),
            "SNOWFLAKE_USER": self._doorkeeper.user,
            "SNOWFLAKE_PASSWORD": self._doorkeeper.password,
            "SNOWFLAKE_DATABASE": self._database,
            "SNOWFLAKE_WAREHOUSE": WAREHOUSE,
            "SNOWFLAKE_ROLE": ROLE,
            "SNOWFLAKE_HOST": host,
            "SNOWFLAKE_PORT": str(port),
            "SNOWFLAKE_PROTOCOL": "http",
        }

    def start(self, on_done: OnDone) -> None:
        """Load the engine and the data in a thread; `on_done` is called in the event loop, with what went wrong."""
        loop = asyncio.get_running_loop()

        def work() -> None:
            try:
                with self._filling:
                    self._engine = engine.make_engine(self._database, self._shown())
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
        elif scope["path"] == QUERY_PATH:
            await self._query(scope, receive, send)
        else:
            from fakesnow.server import app

            if scope["path"] == SESSION_PATH:
                _roll_back(Request(scope))
            await app(scope, receive, send)

    async def _query(self, scope: Scope, receive: Receive, send: Send) -> None:
        from fakesnow.server import app

        if Request(scope).headers.get("authorization") in self._without_warehouse:
            await _no_warehouse()(scope, receive, send)
            return
        self._tidy_up()
        await app(scope, receive, _emptied(send) if self._faults.active("snowflake", "empty") else send)

    async def _login(self, request: Request) -> Response:
        from fakesnow.server import sessions
        from fakesnow.transforms import SERVER_VERSION

        assert self._engine is not None
        try:
            body = (await read_object(request)).get("data") or {}
        except MalformedBody as problem:
            return failure("390101", f"malformed login request: {problem}", 400)
        names = {"database": "databaseName", "schema": "schemaName", "warehouse": "warehouse"}
        named = {key: _identifier(request.query_params.get(name)) for key, name in names.items()}
        refusal = self._doorkeeper.refusal(body, _identifier(request.query_params.get("roleName")))
        if refusal is not None:
            return failure(*refusal)
        parameters = body.get("SESSION_PARAMETERS") or {}
        token = secrets.token_urlsafe(32)
        sessions[token] = self._engine.connect(
            named["database"], named["schema"], autocommit=parameters.get("AUTOCOMMIT", True)
        )
        # A warehouse that is not there is no reason to refuse the login: the first query is.
        if named["warehouse"] not in (None, WAREHOUSE):
            self._without_warehouse.add(f'Snowflake Token="{token}"')
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


def _roll_back(request: Request) -> None:
    """Ends what a session that is being closed has left open, which fakesnow leaves to the garbage collection."""
    from fakesnow.server import sessions

    session = sessions.get((request.headers.get("authorization") or "")[17:-1])
    if session is not None and request.query_params.get("delete"):
        session.rollback()


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
