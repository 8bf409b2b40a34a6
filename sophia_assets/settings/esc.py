"""Settings and secrets from an environment of Pulumi ESC.

Belongs here: opening the environment and taking what is a setting of ours. Does not belong here: what a setting means,
or which place wins (`settings`).

The values stay in this process's memory: they are put into no environment variable, file, message or log.
"""

from __future__ import annotations

import inspect
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings.breakers import PROVIDERS
from sophia_assets.sources import registry

if TYPE_CHECKING:
    from pulumi_esc_sdk import EscClient

PATIENCE_S = 10.0
_ONE_ANSWER_S = 5.0
_PAUSES_S = (0.2, 0.5, 1.0)
_NAME = re.compile(r"\w[\w.-]{2,39}/\w[\w.-]{0,99}/\w[\w.-]{0,99}", re.ASCII)
_WITHOUT_IT = "Try again; to run on the environment and .env alone, unset SOPHIA_ESC_ENVIRONMENT"


@dataclass(frozen=True)
class EscEnvironment:
    """Which environment is opened: its name as `organisation/project/environment`, with what, and where."""

    name: str
    token: str = field(repr=False)
    backend: str = ""

    @classmethod
    def named_in(cls, environment: Mapping[str, str]) -> EscEnvironment | None:
        """The one that the settings name, or None. Raises ConfigurationError for a wrong name, token or address."""
        name = (environment.get("SOPHIA_ESC_ENVIRONMENT") or "").strip()
        if not name:
            return None
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"SOPHIA_ESC_ENVIRONMENT is {name!r}",
                remedy="Write it as organisation/project/environment, for example acme/sophia/production",
            )
        token = environment.get("PULUMI_ACCESS_TOKEN") or ""
        # What cannot be in a header would come back in the HTTP library's message.
        if not token.isascii() or not token.isprintable() or not token.strip():
            raise ConfigurationError(
                f"SOPHIA_ESC_ENVIRONMENT is set, but PULUMI_ACCESS_TOKEN is {'not a token' if token else 'not set'}",
                remedy=f"Set it to a token that may open {name}",
            )
        backend = (environment.get("PULUMI_BACKEND_URL") or "").strip()
        if backend and not _is_safe(backend):
            raise ConfigurationError(
                "PULUMI_BACKEND_URL would send the token in plain text, or is no address",
                remedy="Allowed: https://..., or http:// of this machine",
            )
        return cls(name, token.strip(), backend)


@cache
def esc_settings(environment: EscEnvironment) -> Mapping[str, str]:
    """The settings that an environment holds, fetched once per process. Raises ConfigurationError as `fetch` does."""
    return fetch(environment)


def fetch(environment: EscEnvironment, patience_s: float = PATIENCE_S) -> dict[str, str]:
    """The settings of ours among the environment's `environmentVariables`; others are left alone.

    Raises ConfigurationError, after `patience_s` at the latest, where they cannot be had. There is no going on without
    them: they say which systems are real, and without them a run would read the sandbox and nobody would know.
    """
    client = _client(environment)
    found = _within(patience_s, lambda deadline: _read(client, environment, deadline))
    if found is None:
        found = _Refusal(f"no answer within {patience_s:g} s", _WITHOUT_IT)
    # Raised here, where no answer of the service is being handled that could show in a traceback.
    if isinstance(found, _Refusal):
        raise ConfigurationError(
            f"the settings cannot be read from Pulumi ESC {environment.name}: {found.reason}", remedy=found.remedy
        )
    return found


@dataclass(frozen=True)
class _Refusal:
    """Why there are no settings, and what to do; without anything that the service said."""

    reason: str
    remedy: str
    may_pass: bool = False


def _within(patience_s: float, work: Callable[[float], dict[str, str] | _Refusal]) -> dict[str, str] | _Refusal | None:
    """The result of `work`, or None when it takes too long: a time-out per packet does not bound a dripping answer."""
    results: list[dict[str, str] | _Refusal] = []
    deadline = time.monotonic() + patience_s
    worker = threading.Thread(target=lambda: results.append(work(deadline)), name="pulumi-esc", daemon=True)
    worker.start()
    worker.join(patience_s)
    return results[0] if results else None


def _read(client: EscClient, environment: EscEnvironment, deadline: float) -> dict[str, str] | _Refusal:
    for pause in _PAUSES_S:
        found = _read_once(client, environment, deadline)
        if not isinstance(found, _Refusal) or not found.may_pass or time.monotonic() + pause >= deadline:
            return found
        time.sleep(pause)
    return _read_once(client, environment, deadline)


def _client(environment: EscEnvironment) -> EscClient:
    try:
        from pulumi_esc_sdk import EscClient
        from pulumi_esc_sdk.configuration import Configuration
    except ImportError:
        raise ConfigurationError(
            "SOPHIA_ESC_ENVIRONMENT is set, but the package pulumi-esc-sdk is not installed",
            remedy="Install sophia-assets[esc]",
        ) from None

    configuration: Any = Configuration(host=environment.backend or None, access_token=environment.token)
    # Repeating is done here: the HTTP library would log each time, with the session's address, and follow redirects.
    configuration.retries = False
    return EscClient(configuration)


def _read_once(client: EscClient, environment: EscEnvironment, deadline: float) -> dict[str, str] | _Refusal:
    from pulumi_esc_sdk.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    # Without the library's check of arguments: a process aborts when it ends while a thread waits within native code.
    api: Any = client.esc_api
    opening, reading = inspect.unwrap(type(api).open_environment), inspect.unwrap(type(api).read_open_environment)
    where = environment.name.split("/")
    try:
        session = opening(api, *where, _request_timeout=_left(deadline))
        opened = reading(api, *where, session.id, _request_timeout=_left(deadline))
        properties = opened.properties or {}
        variables = properties.get("environmentVariables")
        return _ours(variables.value if variables else None)
    except ApiException as error:
        return _refusal(error.status, environment.name)
    except (HTTPError, OSError):
        return _Refusal("it does not answer", _WITHOUT_IT, may_pass=True)
    except Exception:  # whatever the library makes of an answer that is none; its text may hold the values
        return _Refusal("its answer is not understood", _WITHOUT_IT, may_pass=True)


def _left(deadline: float) -> float:
    return max(0.05, min(_ONE_ANSWER_S, deadline - time.monotonic()))


def _refusal(status: int | None, name: str) -> _Refusal:
    if status == 401:
        return _Refusal("the access token is refused (HTTP 401)", "Set PULUMI_ACCESS_TOKEN to a valid one")
    if status == 403:
        return _Refusal("the access token may not open it (HTTP 403)", f"Grant its owner to open {name}")
    if status == 404:
        return _Refusal("there is no such environment, or the token may not see it (HTTP 404)", "Check its name")
    if status == 400:
        return _Refusal("it cannot be evaluated (HTTP 400)", f"`esc open {name}` says where")
    what = f"HTTP {status}" if status else "the encrypted connection failed"
    return _Refusal(what, _WITHOUT_IT, may_pass=status == 429 or (status or 0) >= 500)


def _ours(variables: Any) -> dict[str, str] | _Refusal:
    taken: dict[str, str] = {}
    for name, entry in (variables or {}).items():
        if not _is_setting(name):
            continue
        value = entry.get("value") if isinstance(entry, dict) and not entry.get("unknown") else entry
        if value is None:
            continue
        if not isinstance(value, str | int | float):
            return _Refusal(f"{name} has no value, or one that is not a text", "Correct it there")
        taken[name] = str(value).lower() if isinstance(value, bool) else str(value)
    return taken or _Refusal("its environmentVariables hold no setting of this platform", "Put them there")


def _is_setting(name: str) -> bool:
    """What names the environment, and what opens it, cannot come out of it."""
    if name.startswith("SOPHIA_"):
        return not name.startswith("SOPHIA_ESC_")
    vendors = {f"{vendor.upper()}_{ending}" for vendor in PROVIDERS for ending in ("API_KEY", "BASE_URL")}
    return name in vendors or any(name in registry.settings_of(system).names for system in registry.SYSTEMS)


def _is_safe(address: str) -> bool:
    try:
        parts = urlsplit(address)
        here = parts.hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and here))
