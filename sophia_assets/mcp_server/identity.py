"""Who calls a tool over standard input and output: the user of a token, or the person at this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sophia_assets.access.principal import Principal
from sophia_assets.access.roles import role_named
from sophia_assets.control.operating import login_name
from sophia_assets.errors import AccessDenied, ConfigurationError

if TYPE_CHECKING:
    from sophia_assets.mcp_server.tools import Identify
    from sophia_assets.services import Services

TOKEN_SETTING = "SOPHIA_TOKEN"
_WRONG = "Set SOPHIA_TOKEN to a token of `sophia users add` that is in force"


def identity(services: Services, role: str | None) -> Identify:
    """How callers are known: by the token in SOPHIA_TOKEN, anew for each call, else as `role` at this machine.

    Raises AccessDenied for a token that is nobody's, ConfigurationError where neither is given, or both are.
    """
    token = services.settings.environment.get(TOKEN_SETTING)
    if token and role:
        raise ConfigurationError(
            f"{TOKEN_SETTING} and --as name two readers", remedy="Give one of them; a token's user has its own role"
        )
    if token:
        _user(services, token)
        return lambda _: _user(services, token)
    if role is None:
        raise ConfigurationError("it is not known for whom to answer", remedy=f"{_WRONG}, or give --as ROLE")
    principal = Principal(login_name(), role_named(role).name, "mcp")
    return lambda _: principal


def _user(services: Services, token: str) -> Principal:
    user = services.users.with_token(token)
    if user is None:
        nobody: Any = Principal("nobody", "nobody", "mcp")
        services.audit.record(nobody, "token.refused", "mcp", "denied")
        raise AccessDenied("the token is unknown, expired or disabled", remedy=_WRONG)
    return user.principal("mcp")
