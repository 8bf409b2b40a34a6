"""Every flag there is, declared once: its name, what it does, its default, and which values it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from sophia_assets.control.rollouts import EVERYTHING, NOTHING, rollout_flag
from sophia_assets.errors import ConfigurationError
from sophia_assets.settings.breakers import PROVIDERS
from sophia_assets.sources import registry

Value = bool | int

REAL_DATA, MOCK_DATA, CACHING = "enable_real_data", "enable_mock_data", "enable_caching"
FREE_SQL = "enable_free_sql"
SLACK_DELIVERY, EMAIL_DELIVERY = "deliver_to_slack", "deliver_by_email"
STEPS = (10, 50, 100)
"""The percentages through which a rollout is promoted."""


@dataclass(frozen=True)
class Flag:
    """One flag: a switch where its default is a truth value, else a rollout in whole percent, 0 to 100.

    `is_about` names the system or the LLM provider that it concerns; empty where it concerns all.
    """

    name: str
    description: str
    default: Value
    is_about: str = ""

    @property
    def is_percentage(self) -> bool:
        """Whether it is a rollout."""
        return not isinstance(self.default, bool)

    @property
    def concerns_serving(self) -> bool:
        """Whether what is served follows from it, so that models are rebuilt when it changes."""
        is_rollout = self.is_percentage and self.is_about in registry.SYSTEMS
        return is_rollout or self.name in (REAL_DATA, MOCK_DATA)

    def parse(self, text: Value | str) -> Value:
        """The value that `text` stands for. Raises ConfigurationError, saying what is allowed."""
        given = self.text(text) if isinstance(text, (bool, int)) else text.strip().lower()
        if not self.is_percentage:
            if given in ("on", "off"):
                return given == "on"
            raise ConfigurationError(f"{self.name} cannot be {text!r}", remedy="Allowed: on or off")
        number = given.removesuffix("%").strip()
        if not (number.isascii() and number.isdecimal() and len(number) <= 3 and int(number) <= EVERYTHING):
            raise ConfigurationError(
                f"{self.name} cannot be {text!r}",
                remedy=f"Allowed: a whole number of percent from {NOTHING} to {EVERYTHING}",
            )
        return int(number)

    def text(self, value: Value) -> str:
        """The value as it is stored and typed: `on`, `off`, `10`."""
        return ("on" if value else "off") if isinstance(value, bool) else str(value)

    def shown(self, value: Value) -> str:
        """The value as people read it: `on`, `off`, `10 %`."""
        return f"{self.text(value)} %" if self.is_percentage else self.text(value)


@cache
def declared_flags() -> Mapping[str, Flag]:
    """Every flag by name, in the order in which they are listed."""
    names = {system: registry.display_name(system) for system in registry.SYSTEMS}
    flags = [
        Flag(REAL_DATA, "Whether systems that are live are read and served; off takes all of them back at once.", True),
        Flag(MOCK_DATA, "Whether systems in the sandbox are read and served.", True),
        Flag(CACHING, "Whether answers are kept for a while.", True),
        Flag(FREE_SQL, "Whether analysts may run SELECTs of their own, labelled as unverified.", False),
        Flag(SLACK_DELIVERY, "Whether briefings are posted to Slack once they are written.", False),
        Flag(EMAIL_DELIVERY, "Whether briefings are sent by e-mail once they are written.", False),
        *(
            Flag(f"{system}.enabled", f"Whether {name} is read; off leaves the last good data serving.", True, system)
            for system, name in names.items()
        ),
        *(
            Flag(rollout_flag(system), f"Which share of {name} is served; all of it is loaded.", EVERYTHING, system)
            for system, name in names.items()
        ),
        *(
            Flag(rollout_flag(provider), f"Which share of the writing goes to {provider} first.", EVERYTHING, provider)
            for provider in PROVIDERS
        ),
    ]
    return {flag.name: flag for flag in flags}


def flag_called(name: str) -> Flag:
    """The flag of that name. Raises ConfigurationError, with the nearest name there is."""
    flag = declared_flags().get(name)
    if flag is None:
        near = get_close_matches(name, declared_flags(), 1)
        remedy = f"Did you mean {near[0]}? " if near else ""
        raise ConfigurationError(f"there is no flag {name!r}", remedy=f"{remedy}`sophia flags list` has all of them")
    return flag


def rollout_called(name: str) -> Flag:
    """The rollout of a system or provider, by its name or the flag's. Raises ConfigurationError where it has none."""
    flag = declared_flags().get(rollout_flag(name)) or flag_called(name)
    if not flag.is_percentage:
        raise ConfigurationError(f"{flag.name} is a switch and has no steps", remedy="Set it on or off instead")
    return flag
