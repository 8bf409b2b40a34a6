"""The error tree: every failure a user can meet, each with what, where and what to do.

Belongs here: exception classes shared by more than one package.
Does not belong here: handling them (the command line and the Dagster layer do that).
"""

from __future__ import annotations

from datetime import datetime


class SophiaError(Exception):
    """A failure that can be explained in one line: what happened, where, and what to do.

    `exit_code` is what the command line returns for it.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        system: str | None = None,
        obj: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.system = system
        self.obj = obj
        self.request_id = request_id

    def __str__(self) -> str:
        where = "/".join(part for part in (self.system, self.obj) if part)
        text = f"{where}: {self.message}" if where else self.message
        if self.request_id:
            text += f" (request {self.request_id})"
        if self.remedy:
            text += f". {self.remedy}"
        return " ".join(text.split())


class ConfigurationError(SophiaError):
    """A setting or an argument is missing or wrong."""

    exit_code = 2


class DateOutOfRange(ConfigurationError):
    """A date that is not a date, lies in the future, or lies before the company existed."""


class PortTaken(SophiaError):
    """A port that a server needs is in use by another program."""

    exit_code = 3


class WarehouseBusy(SophiaError):
    """Another process has held the warehouse's write lock for longer than the bounded wait."""

    exit_code = 4


class WarehouseUnavailable(SophiaError):
    """The warehouse cannot be reached, or refuses the login. What was read is kept for the next run."""

    exit_code = 4


class ControlStoreUnavailable(SophiaError):
    """The control store (breakers, flags, operators' actions) cannot be reached, or is in use for too long."""

    exit_code = 4


class SourceError(SophiaError):
    """A business system could not be read. The warehouse keeps its last good data.

    `kind` is the stable word for the class in logs, metrics and run metadata: connection, authentication,
    permission, quota, validation, schema_drift, circuit_open, switched_off; source where none of them applies. The
    message reads `system/object: what (request id). remedy`. `was_asked` is False where the guard said no before
    anything was sent.

    An answer that holds nothing is an outcome and never an error: the load's result then has
    `rows_read` 0, and the run's log and the table's metadata say so.
    """

    exit_code = 5
    kind = "source"
    was_asked = True


class ConnectionFailed(SourceError):
    """No answer, a cut connection, a time-out, or a 5xx after the retries are spent."""

    kind = "connection"


class AuthenticationFailed(SourceError):
    """The system refused the credential."""

    kind = "authentication"


class PermissionMissing(AuthenticationFailed):
    """The system knows the credential, which lacks the permission, scope or grant for what was asked."""

    kind = "permission"


class QuotaExhausted(SourceError):
    """The system's limit is spent; it must not be asked again before `not_before` (UTC)."""

    kind = "quota"

    def __init__(self, message: str, *, not_before: datetime, **where: str | None) -> None:
        super().__init__(message, **where)
        self.not_before = not_before


class CircuitOpen(SourceError):
    """The system was not asked: its circuit breaker holds requests back until `not_before` (UTC).

    `not_before` is None where nobody knows: until somebody renews the credential, or takes back what was forced.
    """

    kind = "circuit_open"

    def __init__(self, message: str, *, not_before: datetime | None = None, **where: str | None) -> None:
        super().__init__(message, **where)
        self.not_before = not_before


class SystemSwitchedOff(SourceError):
    """The system was not asked: a flag switches it off until somebody switches it on."""

    kind = "switched_off"


class ResponseInvalid(SourceError):
    """The system answered with something that its contract does not allow, or refused what it was asked.

    `code` is the vendor's own word for it, where it gave one: what a connector branches on.
    """

    kind = "validation"

    def __init__(self, message: str, *, code: str | None = None, **where: str | None) -> None:
        super().__init__(message, **where)
        self.code = code


class SchemaDrift(ResponseInvalid):
    """A declared column has vanished from what the system answers; nothing of the load was stored."""

    kind = "schema_drift"


class BriefingMissing(SophiaError):
    """No briefing has been written for the date that was asked for."""

    exit_code = 6


class VerificationRefused(SophiaError):
    """A text holds a figure, name or direction that no fact supports, so it is not published."""

    exit_code = 7


class AccessDenied(SophiaError):
    """Somebody asked for what their role, or the accounts that they are limited to, do not allow."""

    exit_code = 8


class AuditUnavailable(SophiaError):
    """An access cannot be recorded in the audit trail, so it is denied and nothing is shown."""

    exit_code = 9


class EncryptionError(SophiaError):
    """Something that is sealed does not open, or a home's encryption and the key that is set do not fit."""

    exit_code = 10
