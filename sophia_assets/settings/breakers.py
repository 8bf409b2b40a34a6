"""The settings of the circuit breakers: for all of them, and for one system or provider alone.

Belongs here: from `SOPHIA_BREAKER_...` and `SOPHIA_<NAME>_BREAKER_...` to a policy. Does not belong here: what a policy
means (`control.breaker`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sophia_assets.control.breaker import BreakerPolicy
from sophia_assets.errors import ConfigurationError
from sophia_assets.settings.reading import integer, number
from sophia_assets.sources import registry

# The vendors of language models; like a system, each has a circuit of its own.
PROVIDERS = ("anthropic", "openai")
CIRCUITS = (*registry.SYSTEMS, *PROVIDERS)

_DAY = 86_400
# The end of a setting's name, the policy's field, and the least and the most that is allowed.
_WHOLE_NUMBERS = {"FAILURE_THRESHOLD": ("failure_threshold", 1, 100), "MINIMUM_OUTCOMES": ("minimum_outcomes", 1, 100)}
_NUMBERS = {"FAILURE_RATIO": ("failure_ratio", 0.01, 1.0), "JITTER": ("jitter", 0.0, 0.9)}
_SECONDS = {
    "WINDOW_SECONDS": ("window", 1, _DAY),
    "RECOVERY_TIMEOUT_SECONDS": ("recovery_timeout", 1, _DAY),
    "LONGEST_SECONDS": ("longest", 1, 7 * _DAY),
    "LEASE_SECONDS": ("lease", 1, _DAY),
}
ENDINGS = (*_WHOLE_NUMBERS, *_NUMBERS, *_SECONDS)
_LOOKS_LIKE_ONE = re.compile(r"SOPHIA_(?:(?P<circuit>.+)_)?BREAKER_(?P<ending>.+)")


def breaker_settings() -> tuple[str, ...]:
    """The names of all settings of breakers."""
    starts = ("SOPHIA", *(f"SOPHIA_{name.upper()}" for name in CIRCUITS))
    return tuple(f"{start}_BREAKER_{ending}" for start in starts for ending in ENDINGS)


def read_policies(environment: Mapping[str, str]) -> dict[str, BreakerPolicy]:
    """The policy of every circuit. Raises ConfigurationError naming the setting, its value and what is allowed."""
    _refuse_misspelt(environment)
    return {name: _policy(environment, name) for name in CIRCUITS}


def _policy(environment: Mapping[str, str], circuit: str) -> BreakerPolicy:
    default = BreakerPolicy()
    values: dict[str, Any] = {}
    for ending, (field, least, most) in _WHOLE_NUMBERS.items():
        values[field] = integer(environment, _name(environment, circuit, ending), getattr(default, field), least, most)
    for ending, (field, low, high) in _NUMBERS.items():
        values[field] = number(environment, _name(environment, circuit, ending), getattr(default, field), low, high)
    for ending, (field, low, high) in _SECONDS.items():
        seconds = getattr(default, field).total_seconds()
        values[field] = timedelta(seconds=number(environment, _name(environment, circuit, ending), seconds, low, high))
    if values["longest"] < values["recovery_timeout"]:
        longest, recovery = (
            _name(environment, circuit, each) for each in ("LONGEST_SECONDS", "RECOVERY_TIMEOUT_SECONDS")
        )
        raise ConfigurationError(
            f"{longest} is {values['longest'].total_seconds():g}",
            remedy=f"Allowed: at least {recovery}, which is {values['recovery_timeout'].total_seconds():g}",
        )
    return BreakerPolicy(**values)


def _name(environment: Mapping[str, str], circuit: str, ending: str) -> str:
    """The setting that counts for a circuit: its own where it is set, else that of all."""
    own = f"SOPHIA_{circuit.upper()}_BREAKER_{ending}"
    return own if environment.get(own) else f"SOPHIA_BREAKER_{ending}"


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    """A breaker's setting that is misspelt would leave the default in force, and nobody would see."""
    known = set(breaker_settings())
    for name in environment:
        looks = _LOOKS_LIKE_ONE.fullmatch(name)
        if not looks or name in known:
            continue
        if looks["ending"] in ENDINGS:
            raise ConfigurationError(
                f"{name} is set, but nothing with a circuit breaker is called {looks['circuit'].lower()!r}",
                remedy=f"Use one of {', '.join(CIRCUITS)}",
            )
        raise ConfigurationError(
            f"{name} is set, which is no setting of a circuit breaker", remedy=f"Its end is one of {', '.join(ENDINGS)}"
        )
