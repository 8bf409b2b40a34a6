"""What the commands of operators share: who does it, why, and the services to do it with."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from sophia_assets.errors import ConfigurationError

if TYPE_CHECKING:
    from sophia_assets.services import Services

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def login_name() -> str:
    """The name under which a deed is recorded. Raises ConfigurationError where nobody can tell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name, as in some containers
        raise ConfigurationError("who does this is not known", remedy="Say so with --by NAME") from None


def deed(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of whatever an operator does: `by`, `reason`, `as_json`. The deed itself refuses no reason."""
    return _with_options(command, "Why; it is recorded and shown.  [required]")


def deed_of_any_reason(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of a deed for which nobody has to say why."""
    return _with_options(command, "Why; it is recorded and shown.")


def _with_options(command: Callable[..., None], why: str) -> Callable[..., None]:
    for option in (
        json_option,
        click.option("--by", default=login_name, help="Who does this (default: your login name)."),
        click.option("--reason", default="", help=why),
    ):
        command = option(command)
    return command


@contextmanager
def opened_services() -> Iterator[Services]:
    """The services of the home that was last run."""
    from sophia_assets.services import Services

    services = Services.from_environment()
    try:
        yield services
    finally:
        services.close()
