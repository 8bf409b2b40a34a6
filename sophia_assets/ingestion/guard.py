"""The guard in front of every system: whoever wants to ask one comes by here, whatever sent them.

Belongs here: who may ask, who probes, what an outcome means for the circuit. Does not belong here: the circuit's own
rules (`control.breaker`), how a system is asked (`sources`), or Dagster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from sophia_assets.control.breaker import Failure, Verdict
from sophia_assets.control.circuits import Circuits
from sophia_assets.errors import SophiaError, SourceError, SystemSwitchedOff

# While reading, the control store is looked at this often at most.
_LOOK_SECONDS = 0.2


class Guard:
    """Lets callers ask a system, or tells them why not and until when.

    `switched_off_by` names the flag that switches a system off (empty where none does), `credential_of` tells what
    opens its account from what did before, `ping` asks it for a sign of life, once and without patience.
    """

    def __init__(
        self,
        circuits: Circuits,
        *,
        switched_off_by: Callable[[str], str],
        credential_of: Callable[[str], str],
        ping: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._circuits = circuits
        self._switched_off_by = switched_off_by
        self._credential_of = credential_of
        self._ping = ping
        self._clock = clock

    def admit(self, system: str, obj: str, owner: str) -> None:
        """Returns where `obj` may be asked for; where a probe is due, `owner` (a run's id) makes it first.

        Raises SystemSwitchedOff, CircuitOpen or QuotaExhausted, without having asked the system for anything else.
        """
        credential = self._credential_of(system)
        # First of all, since a store that cannot be read has its own error, and every flag then counts as off.
        admission = self._circuits.admission(system, credential)
        self._refuse_switched_off(system, obj)
        if admission.verdict is Verdict.PROBE_DUE:
            self._try_probe(system, owner, credential)
        if not admission.is_allowed:
            self._refuse(system, obj, credential)

    def lets_through(self, system: str) -> bool:
        """Whether the system may be asked just now; nothing is sent or changed to find out."""
        if self._switched_off_by(system):
            return False
        return self._circuits.admission(system, self._credential_of(system)).is_allowed

    def probe(self, system: str, owner: str) -> str | None:
        """Makes the probe that is due; returns what the system said, None where there was none to be made.

        Raises what the probe ended with: the circuit is then open for longer.
        """
        self._refuse_switched_off(system, "probe")
        credential = self._credential_of(system)
        if not self._circuits.take_probe(system, owner, credential):
            return None
        return self._made_probe(system, owner, credential)

    def succeeded(self, system: str) -> None:
        """Records that something was read well."""
        self._circuits.succeeded(system)

    def failed(self, system: str, error: SophiaError) -> None:
        """Records how a read failed, once, after its retries; a refusal of the guard's own is none."""
        if isinstance(error, SourceError) and not error.was_asked:
            return
        self._circuits.failed(system, failure_of(error), credential=self._credential_of(system))

    def before_each_page(self, system: str, obj: str) -> Callable[[], None]:
        """To be called before each page of a read: raises SystemSwitchedOff or CircuitOpen as soon as an operator has
        switched the system off, or forced its circuit open."""
        looked_at = self._clock()

        def look() -> None:
            nonlocal looked_at
            if self._clock() - looked_at < _LOOK_SECONDS:
                return
            looked_at = self._clock()
            self._refuse_switched_off(system, obj)
            if self._circuits.admission(system).verdict is Verdict.FORCED_OPEN:
                self._refuse(system, obj)

        return look

    def _try_probe(self, system: str, owner: str, credential: str) -> None:
        """What the probe ends with is in the circuit, which speaks for it."""
        if not self._circuits.take_probe(system, owner, credential):
            return
        with suppress(SophiaError):
            self._made_probe(system, owner, credential)

    def _made_probe(self, system: str, owner: str, credential: str) -> str:
        try:
            told = self._ping(system)
        except SophiaError as error:
            self._circuits.failed(system, failure_of(error), owner, credential)
            raise
        except Exception as error:
            self._circuits.failed(system, Failure("unexpected", type(error).__name__), owner, credential)
            raise
        self._circuits.succeeded(system, owner)
        return told

    def _refuse(self, system: str, obj: str, credential: str = "") -> None:
        try:
            self._circuits.admit(system, credential, obj=obj)
        except SourceError as error:
            error.was_asked = False
            raise

    def _refuse_switched_off(self, system: str, obj: str) -> None:
        flag = self._switched_off_by(system)
        if not flag:
            return
        error = SystemSwitchedOff(
            f"not asked: the flag {flag} is off",
            remedy=f"Switch it on with `sophia flags set {flag} on --reason ...`; the last good data serves",
            system=system,
            obj=obj,
        )
        error.was_asked = False
        raise error


def failure_of(error: SophiaError) -> Failure:
    """A failed call as its circuit is told of it."""
    kind = error.kind if isinstance(error, SourceError) else "configuration"
    return Failure(kind, error.message, getattr(error, "not_before", None))
