"""Talking to one Redis server: commands in pipelines, over one connection, with every error explained."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from sophia_assets.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ConnectionFailed,
    PermissionMissing,
    ResponseInvalid,
    SourceError,
)
from sophia_assets.ingestion.limiter import Limiters
from sophia_assets.ingestion.requesting import Answer, ApiProfile, NoAnswer, Requester
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.redis.tables import SYSTEM

Command = tuple[str | bytes | int, ...]

# Redis has no limit of its own; this one leaves it to those whom it serves first.
_PIPELINES_PER_SECOND = 500

_CREDENTIAL_REMEDY = "Check the user and password in REDIS_URL (redis://user:password@host:port/db)"
_PERMISSION_REMEDY = (
    "Give the user in REDIS_URL the right to read: ACL SETUSER <user> +@read +select +info ~<REDIS_PREFIX>*"
)
_NOT_A_SHARD = (
    "Sharded clusters are not supported: point REDIS_URL at a database that one server holds, or at a proxy that "
    "makes it look so"
)
_BUSY = frozenset({"LOADING", "BUSY", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "OOM", "NOREPLICAS"})
_FULL = "max number of clients reached"


@dataclass(frozen=True)
class RedisConnection:
    """Where the product's Redis is (`redis://`, or `rediss://` for verified TLS) and how its keys begin."""

    url: str = field(default="", repr=False)
    prefix: str = "usage:"

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> RedisConnection:
        """From REDIS_URL and REDIS_PREFIX."""
        return cls(settings.get("REDIS_URL", ""), settings.get("REDIS_PREFIX") or cls.prefix)


class Refusal:
    """An error that a single command was answered with: `code` is its first word, such as WRONGTYPE."""

    def __init__(self, text: str) -> None:
        self.code, _, self.rest = text.partition(" ")


class _Wire(Protocol):
    """What is used of the client library's connection."""

    @property
    def is_connected(self) -> bool: ...

    def connect(self) -> None: ...

    def disconnect(self) -> None: ...

    def pack_commands(self, commands: Sequence[Command]) -> Any: ...

    def send_packed_command(self, command: Any, check_health: bool) -> None: ...

    def read_response(self) -> Any: ...


class Server:
    """A Redis server and the patience with it. Thread-safe; each reader opens a `session` of its own."""

    def __init__(self, connection: RedisConnection, retry: RetryPolicy, limiters: Limiters) -> None:
        self.address = _without_secrets(connection.url)
        self._url = connection.url
        self._retry = retry
        limiter = limiters.account(SYSTEM, self.address, connection.url).limiter(
            "pipelines", requests=_PIPELINES_PER_SECOND, seconds=1.0
        )
        profile = ApiProfile(
            system=SYSTEM,
            label="Redis",
            base_url=self.address,
            base_url_setting="REDIS_URL",
            credential_remedy=_CREDENTIAL_REMEDY,
            permission_remedy=_PERMISSION_REMEDY,
            retry=retry,
        )
        self.requester = Requester(profile, limiter)

    def session(self) -> Session:
        """A connection that is made when it is first used. Raises ConfigurationError for a URL that is none."""
        from redis.backoff import NoBackoff
        from redis.connection import ConnectionPool
        from redis.retry import Retry

        try:
            # Its own tries are off; RESP2, since every server and proxy speaks it.
            pool = ConnectionPool.from_url(
                self._url,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
                socket_timeout=self._retry.read_timeout,
                socket_connect_timeout=self._retry.connect_timeout,
                driver_info=None,
            )
            connection = cast(_Wire, pool.make_connection())
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                "REDIS_URL is not the URL of a Redis server",
                system=SYSTEM,
                remedy="Write it as redis://user:password@host:port/db, or rediss:// for TLS",
            ) from error
        return Session(self, connection)


class Session:
    """One connection, for one thread. It is made again where it breaks: `connections` counts how often it was."""

    def __init__(self, server: Server, connection: _Wire) -> None:
        self._server = server
        self._connection = connection
        self.connections = 0

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *ended: object) -> None:
        self._connection.disconnect()

    def ask(self, commands: Sequence[Command], *, obj: str) -> list[Any]:
        """The commands' answers, sent together: bytes, numbers, None, lists of these, or a Refusal.

        An answer that says that the server cannot answer now has all of them sent again. Raises a SourceError.
        """
        answer = self._server.requester.ask(lambda seconds: self._send(commands, obj), obj=obj)
        found: list[Any] = answer.body if answer is not None else []
        return found

    def _send(self, commands: Sequence[Command], obj: str) -> Answer:
        import redis.exceptions

        connection = self._connection
        try:
            if not connection.is_connected:
                connection.connect()
                self.connections += 1
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            answers = [_answer(connection.read_response) for _ in commands]
        except redis.exceptions.RedisError as error:
            connection.disconnect()
            raise self._failure(error, obj) from error
        except OSError as error:
            connection.disconnect()
            raise NoAnswer("cut the connection") from error
        except BaseException:
            # What is still to come would be taken for the answers to other commands.
            connection.disconnect()
            raise
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, Refusal):
                _raise_unless_about_the_key(command, answer, obj)
        return Answer(200, body=answers)

    def _failure(self, error: Exception, obj: str) -> Exception:
        """What an error of the connection means: a NoAnswer where trying again may help."""
        import redis.exceptions

        where = {"system": SYSTEM, "obj": obj}
        refused = (redis.exceptions.AuthenticationError, redis.exceptions.AuthenticationWrongNumberOfArgsError)
        if isinstance(error, refused):
            return AuthenticationFailed("Redis refused the login", remedy=_CREDENTIAL_REMEDY, **where)
        if isinstance(error, redis.exceptions.NoPermissionError):
            return PermissionMissing("Redis refused the permission", remedy=_PERMISSION_REMEDY, **where)
        if isinstance(error, redis.exceptions.TimeoutError):
            return NoAnswer("did not answer in time")
        if _caused_by_certificate(error):
            return ConnectionFailed(
                f"the certificate of {self._server.address} cannot be verified",
                remedy="Add ?ssl_ca_certs=<file of the authority's certificate> to REDIS_URL",
                **where,
            )
        said = str(error)
        if "DB index" in said or "Invalid Database" in said:
            return ResponseInvalid(
                "Redis has no database of that number", remedy="Check the number at the end of REDIS_URL", **where
            )
        if isinstance(error, redis.exceptions.BusyLoadingError):
            return NoAnswer("is loading its data")
        if _FULL in said:
            return NoAnswer("has no room for another client")
        if isinstance(error, redis.exceptions.InvalidResponse):
            return NoAnswer("answered what no Redis says")
        if isinstance(error, redis.exceptions.ConnectionError):
            return NoAnswer("cut the connection" if self._connection_was_there(said) else "cannot be reached")
        return ResponseInvalid("Redis refused the connection", remedy="Check REDIS_URL", **where)

    @staticmethod
    def _connection_was_there(said: str) -> bool:
        return "connecting to" not in said


def _answer(read: Callable[[], Any]) -> Any:
    """The next answer. An error that says that the server is busy is raised, since all others will say so, too."""
    import redis.exceptions

    try:
        return read()
    except redis.exceptions.NoPermissionError as error:
        return Refusal(f"NOPERM {error}")
    except redis.exceptions.MovedError as error:
        return Refusal(f"MOVED {error}")
    except redis.exceptions.ResponseError as error:
        code = getattr(error, "status_code", None)
        return Refusal(f"{code} {error}" if code else str(error))


def _raise_unless_about_the_key(command: Command, refusal: Refusal, obj: str) -> None:
    """Raises what a refusal says about the server or the user; one about a single key is left to the reader."""
    where = {"system": SYSTEM, "obj": obj}
    if refusal.code in _BUSY:
        raise NoAnswer(f"answered {refusal.code}")
    if refusal.code in ("MOVED", "ASK", "CROSSSLOT"):
        raise ResponseInvalid("Redis says that another server holds the key", remedy=_NOT_A_SHARD, **where)
    if refusal.code == "NOPERM" and command[0] != "INFO":
        raise PermissionMissing(
            f"Redis does not let the user run {command[0]!s} on these keys", remedy=_PERMISSION_REMEDY, **where
        )
    if refusal.code == "ERR" and "unknown command" in refusal.rest.lower():
        raise ResponseInvalid(f"the server does not know {command[0]!s}", remedy="Redis 5 or newer is needed", **where)


def unexpected(refusal: Refusal, obj: str) -> SourceError:
    """The error for a refusal that a reader has no use for."""
    return ResponseInvalid(
        f"Redis refused a command ({refusal.code})", remedy="Check REDIS_URL and REDIS_PREFIX", system=SYSTEM, obj=obj
    )


def _caused_by_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _without_secrets(url: str) -> str:
    """The server's address, for messages."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        place = f"{parts.hostname}{port}" if parts.hostname else ""
    except ValueError:
        return "REDIS_URL"
    return f"{parts.scheme}://{place}{parts.path}"
