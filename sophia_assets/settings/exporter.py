"""The settings of the exporter: where it listens, and how often it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import reading

PREFIX = "SOPHIA_EXPORTER_"
DEFAULT_PORT = 9464
_NAMES = ("HOST", "PORT", "SECONDS")


@dataclass(frozen=True)
class ExporterSettings:
    """Where the exporter listens, and how many seconds lie between two of its looks at what changes often."""

    host: str
    port: int
    seconds: int


def read_exporter(environment: Mapping[str, str]) -> ExporterSettings:
    """The settings of the exporter. Raises ConfigurationError naming the setting and what is allowed."""
    known = {f"{PREFIX}{name}" for name in _NAMES}
    for name in environment:
        # Kubernetes sets such names for a service that is called so.
        is_of_kubernetes = "_PORT_" in name or "_SERVICE_" in name
        if name.startswith(PREFIX) and name not in known and not is_of_kubernetes:
            remedy = f"Use one of {', '.join(sorted(known))}"
            raise ConfigurationError(f"{name} is set, which is no setting", remedy=remedy)
    if environment.get(f"{PREFIX}PORT", "").startswith("tcp://"):
        # So does Kubernetes: it is the service's address, and nobody's setting.
        environment = {**environment, f"{PREFIX}PORT": ""}
    return ExporterSettings(
        host=(environment.get(f"{PREFIX}HOST") or "127.0.0.1").strip(),
        port=reading.integer(environment, f"{PREFIX}PORT", DEFAULT_PORT, 1, 65535),
        seconds=reading.integer(environment, f"{PREFIX}SECONDS", 15, 1, 300),
    )
