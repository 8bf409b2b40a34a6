"""What is kept for how long: each kind of old record declared once, with what bounds it and what needs it.

Belongs here: the rules and the names of their settings. Does not belong here: finding or removing anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

PREFIX = "SOPHIA_RETENTION_"


@dataclass(frozen=True)
class Rule:
    """One kind of record: `days` it is kept by default, 0 for ever, and `least`, the fewest days that may be set.

    `needs` says what would be missed if it were kept for a shorter time.
    """

    name: str
    what: str
    days: int
    least: int
    needs: str
    may_be_for_ever: bool = True

    @property
    def setting(self) -> str:
        """The setting that says for how many days."""
        return f"{PREFIX}{self.name.upper()}_DAYS"

    def cutoff(self, days: int, now: datetime) -> datetime | None:
        """The moment (UTC, aware) before which such records are removed; None where they are kept for ever."""
        return now - timedelta(days=days) if days else None


RULES: tuple[Rule, ...] = (
    Rule("run_logs", "what runs logged, step by step", 14, 1, "looking into a failed run"),
    Rule("runs", "runs, and what they told of assets and checks", 30, 8, "run history; trends in the UI"),
    Rule("skipped_ticks", "ticks of sensors that found nothing to do", 2, 1, "why a sensor did nothing", False),
    Rule("ticks", "ticks that launched something, or failed", 30, 8, "when a schedule or sensor acted", False),
    Rule("measures", "what was measured, by day", 400, 35, "`sophia slo` over a longer window"),
    Rule("deliveries", "the record of what was sent to whom", 400, 8, "who was sent which briefing; sending it once"),
    Rule("flag_changes", "changes of flags", 800, 30, "when a flag was set, and why"),
    Rule("audit", "the audit trail; older entries move to signed archives", 400, 30, "`audit tail`"),
    Rule("briefings", "briefings with their evidence, and their seals", 800, 8, "the archive, `briefing verify`"),
    Rule("facts", "the facts of a day, as a file", 120, 8, "looking at them in Dagster; they can be computed again"),
    Rule("ledger", "what each load brought", 400, 30, "row-count trends; the newest of every table always stay"),
    Rule("history", "replaced versions of rows", 1200, 800, "facts as they were known on past days"),
    Rule("files", "state and caches that nobody has touched, and what killed programs left", 30, 2, "nothing", False),
)


NAMES: tuple[str, ...] = tuple(each.name for each in RULES)


def rule(name: str) -> Rule:
    """The rule of that name, one of `NAMES`."""
    return RULES[NAMES.index(name)]
