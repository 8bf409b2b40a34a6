"""The settings of reading from Snowflake: under which Snowflake role each role's queries run."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sophia_assets.access.roles import ROLES
from sophia_assets.errors import ConfigurationError

PREFIX = "SOPHIA_SNOWFLAKE_ROLE_"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,254}")


def read_snowflake_roles(environment: Mapping[str, str]) -> dict[str, str]:
    """The Snowflake role of each reader's role that has one; nothing where none is set.

    Raises ConfigurationError naming the setting and what is allowed.
    """
    names = {f"{PREFIX}{role.upper()}": role for role in ROLES}
    for name in environment:
        if name.startswith(PREFIX) and name not in names:
            raise ConfigurationError(f"{name} is set, which is no setting", remedy=f"Use one of {', '.join(names)}")
    found = {role: (environment.get(name) or "").strip() for name, role in names.items()}
    for role, given in found.items():
        if given and not _NAME.fullmatch(given):
            raise ConfigurationError(
                f"{PREFIX}{role.upper()} is {given!r}, which is no name of a role",
                remedy="Use letters, digits, _ and $, such as SOPHIA_EXECUTIVE",
            )
    return {role: given for role, given in found.items() if given}
