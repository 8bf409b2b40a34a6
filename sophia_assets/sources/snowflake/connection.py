"""How the account is reached: the settings, the ways to log in, and what every session is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sophia_assets.errors import AuthenticationFailed, ConfigurationError
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sources.snowflake.tables import SYSTEM

_LOGIN_SECONDS = 15
_NETWORK_SECONDS = 45
_SOCKET_SECONDS = 30
# A statement that takes longer is cancelled by Snowflake, so that a lost client costs no credits for days.
STATEMENT_SECONDS = 900


@dataclass(frozen=True)
class SnowflakeConnection:
    """The account and a way in: a password, or the path of a private key (PEM) and what opens it, if it is encrypted.

    `host`, `port` and `protocol` are for private links and proxies; empty, the account decides.
    """

    account: str
    user: str
    password: str = field(default="", repr=False)
    private_key_path: str = field(default="", repr=False)
    private_key_passphrase: str = field(default="", repr=False)
    database: str = ""
    warehouse: str = ""
    role: str = ""
    host: str = ""
    port: int | None = None
    protocol: str = ""

    @classmethod
    def from_settings(cls, settings: Mapping[str, str]) -> SnowflakeConnection:
        """From the SNOWFLAKE_* settings. Raises ConfigurationError where SNOWFLAKE_PORT is no number."""
        port = settings.get("SNOWFLAKE_PORT", "").strip()
        if port and not port.isdigit():
            raise ConfigurationError(
                f"SNOWFLAKE_PORT is {port!r}", system=SYSTEM, remedy="Set it to a number such as 443, or leave it out"
            )
        names = [declared.name for declared in fields(cls) if declared.name != "port"]
        given = {name: settings.get(f"SNOWFLAKE_{name.upper()}", "") for name in names}
        return cls(**given, port=int(port) if port else None)

    def arguments(self, retry: RetryPolicy) -> dict[str, Any]:
        """The connector's arguments for a session. Raises AuthenticationFailed for a key that cannot be read."""
        names = ("account", "user", "database", "warehouse", "role", "host", "port", "protocol")
        arguments: dict[str, Any] = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.private_key_path:
            arguments["private_key"] = _private_key(self.private_key_path, self.private_key_passphrase)
        else:
            arguments["password"] = self.password
        return arguments | {
            "application": "SophiaAssets",
            "session_parameters": {
                "TIMEZONE": "UTC",
                "QUERY_TAG": "sophia-assets",
                "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_SECONDS,
            },
            "login_timeout": _LOGIN_SECONDS,
            "network_timeout": _NETWORK_SECONDS,
            "socket_timeout": _SOCKET_SECONDS,
            "backoff_policy": lambda: _backoff(retry),
            "disable_ocsp_checks": self.protocol == "http",
            "paramstyle": "qmark",
            # NUMBER(38, s) as exact decimals: the connector makes doubles of them otherwise.
            "arrow_number_to_decimal": True,
        }


def _backoff(retry: RetryPolicy) -> Iterator[float]:
    """Seconds between the connector's own tries."""
    delay = retry.first_delay
    while True:
        yield delay
        delay = min(2 * delay, retry.longest_delay)


def _private_key(path: str, passphrase: str) -> bytes:
    """The key as DER. Raises AuthenticationFailed where the file is no private key."""
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(Path(path).read_bytes(), password=passphrase.encode() or None)
    except (OSError, ValueError, TypeError) as error:
        raise AuthenticationFailed(
            f"the private key cannot be read ({type(error).__name__})",
            system=SYSTEM,
            remedy="Point SNOWFLAKE_PRIVATE_KEY_PATH at a PEM file that this user may read, and set "
            "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE where it is encrypted",
        ) from error
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
