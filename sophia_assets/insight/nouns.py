"""How each metric is spoken of: the noun a writer uses, and the words by which a reader recognises it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sophia_assets.metrics.facts import Fact, FactSet


@dataclass(frozen=True)
class Noun:
    """A metric's noun in the middle of a sentence, and whether its verb is plural."""

    text: str
    plural: bool = False

    @property
    def be(self) -> str:
        return "are" if self.plural else "is"

    @property
    def opening(self) -> str:
        """The noun at the start of a sentence."""
        return self.text[:1].upper() + self.text[1:]


NOUNS: dict[str, Noun] = {
    "bookings": Noun("bookings", plural=True),
    "deals_won": Noun("the number of deals won"),
    "deals_lost": Noun("the number of deals lost"),
    "lost_value": Noun("the value of deals lost"),
    "win_rate": Noun("the win rate"),
    "average_deal_size": Noun("the average deal"),
    "sales_cycle_days": Noun("the sales cycle"),
    "deals_created": Noun("the number of deals created"),
    "pipeline_created": Noun("new pipeline"),
    "pipeline_value": Noun("open pipeline"),
    "open_deals": Noun("the number of open deals"),
    "weighted_pipeline": Noun("weighted pipeline"),
    "slipped_deals": Noun("the number of deals past their close date"),
    "slipped_value": Noun("the value of deals past their close date"),
    "stalled_deals": Noun("the number of stalled deals"),
    "stalled_value": Noun("stalled value"),
    "mrr": Noun("monthly recurring revenue"),
    "new_mrr": Noun("recurring revenue from new customers"),
    "expansion_mrr": Noun("recurring revenue from expansion"),
    "contraction_mrr": Noun("recurring revenue given up by shrinking customers"),
    "churned_mrr": Noun("churned recurring revenue"),
    "invoiced_amount": Noun("invoicing"),
    "overdue_amount": Noun("overdue invoices", plural=True),
    "active_customers": Noun("the number of paying customers"),
    "renewals_due": Noun("recurring revenue up for renewal"),
    "satisfaction_score": Noun("customer satisfaction"),
    "satisfaction_responses": Noun("the number of satisfaction responses"),
    "calls": Noun("the number of customer calls"),
    "call_minutes": Noun("time spent in calls"),
    "customers_spoken_to": Noun("the number of accounts spoken to"),
    "competitor_mentions": Noun("the number of calls that name a competitor"),
    "churn_risk_mentions": Noun("the number of calls that mention leaving"),
}

#: Words that name metrics in running text. A figure must belong to a metric that the nearest such words can mean.
_TERMS: tuple[tuple[str, str], ...] = (
    (r"new customers|new recurring revenue", "new_mrr"),
    (r"recurring revenue up for renewal|up for renewal", "renewals_due"),
    (r"expansions?|expanded|added", "expansion_mrr"),
    (r"shrinking customers|contractions?|downgrades?|gave up|given up", "contraction_mrr churned_mrr"),
    (r"leavers|churned|churn|left|took", "churned_mrr"),
    (r"monthly recurring revenue", "mrr"),
    (
        r"recurring revenue|MRR|a month",
        "mrr new_mrr expansion_mrr contraction_mrr churned_mrr renewals_due",
    ),
    (r"pays|paid|paying us", "mrr"),
    (r"paying customers|active customers|customers pay", "active_customers"),
    (r"average deal(?: size)?", "average_deal_size"),
    (r"sales cycle", "sales_cycle_days"),
    (r"new pipeline|pipeline created", "pipeline_created"),
    (r"weighted pipeline", "weighted_pipeline"),
    (r"open pipeline|pipeline", "pipeline_value open_deals"),
    (r"open deals?|deals? (?:is|are) open", "open_deals pipeline_value"),
    (r"value of deals lost|lost value", "lost_value"),
    (r"value of deals won", "bookings"),
    (r"deals? lost|lost", "deals_lost lost_value"),
    (r"deals? won|won|closed", "deals_won bookings"),
    (r"win rate", "win_rate"),
    (r"deals created", "deals_created"),
    (r"bookings?|booked", "bookings"),
    (r"brought in", "bookings"),
    (r"past (?:their|its) close dates?", "slipped_deals slipped_value days_past_close"),
    (r"close date passed", "days_past_close"),
    (r"close date (?:has )?moved|moved its close date", "close_date_pushes"),
    (r"stalled|stuck|stood still", "stalled_deals stalled_value"),
    (r"typical wait|waited|waiting", "days_in_stage stalled_deals stalled_value"),
    (r"worth", "pipeline_value slipped_value stalled_value bookings lost_value"),
    (r"invoicing|invoiced", "invoiced_amount"),
    (r"overdue(?: invoices)?|owes|owed", "overdue_amount days_overdue"),
    (r"renews in|renewal in|renewal", "days_to_renewal"),
    (r"satisfaction responses|responses|answers", "satisfaction_responses"),
    (r"satisfaction|scored|score", "satisfaction_score"),
    (r"minutes|time spent in calls", "call_minutes"),
    (r"(?:accounts|customers) spoken to|spoke to|spoke with", "customers_spoken_to calls"),
    (r"mention leaving|talk of leaving|leaving came up|churn risk", "churn_risk_mentions"),
    (r"name a competitor|named a competitor|competitors? came up", "competitor_mentions"),
    (r"came up", "competitor_mentions churn_risk_mentions"),
    (r"calls?", "calls call_minutes customers_spoken_to"),
)

#: What can be counted, by the noun right behind a count; money and shares never stand there.
COUNTED: dict[str, frozenset[str]] = {
    "deal": frozenset({"deals_won", "deals_lost", "deals_created", "open_deals", "slipped_deals", "stalled_deals"}),
    "call": frozenset({"calls", "competitor_mentions", "churn_risk_mentions"}),
    "account": frozenset({"customers_spoken_to"}),
    "customer": frozenset({"active_customers"}),
    "response": frozenset({"satisfaction_responses"}),
    "time": frozenset({"close_date_pushes"}),
    "past": frozenset({"days_past_close"}),
}


def noun(fact: Fact) -> Noun:
    """The noun for a fact's metric; the catalog's label where this module has none."""
    return NOUNS.get(fact.metric) or Noun(fact.label[:1].lower() + fact.label[1:])


class MetricTerms:
    """Finds words that name metrics; the labels of unknown metrics are learnt from the facts."""

    def __init__(self, facts: FactSet) -> None:
        self._meaning = [(re.compile(rf"(?i)\b(?:{pattern})\b"), frozenset(names.split())) for pattern, names in _TERMS]
        self._meaning += [
            (re.compile(rf"(?i)\b{re.escape(spoken.text.removeprefix('the '))}\b"), frozenset({metric}))
            for metric, spoken in NOUNS.items()
            if " of " in spoken.text or " from " in spoken.text or " by " in spoken.text
        ]
        known = {name for _, names in self._meaning for name in names}
        labels = {fact.label: fact.metric for fact in facts if fact.metric not in known}
        self._meaning += [
            (re.compile(rf"(?i)\b{re.escape(label)}\b"), frozenset({metric})) for label, metric in labels.items()
        ]

    def find(self, text: str) -> list[tuple[int, int, frozenset[str]]]:
        """(start, end, metrics) of each mention, in order; of overlapping ones the longest."""
        found = [
            (match.start(), match.end(), metrics)
            for pattern, metrics in self._meaning
            for match in pattern.finditer(text)
        ]
        return sorted(longest_first(found))


def longest_first(spans: Iterable[tuple[int, int, frozenset[str]]]) -> list[tuple[int, int, frozenset[str]]]:
    """Drops spans that overlap a longer one."""
    kept: list[tuple[int, int, frozenset[str]]] = []
    for span in sorted(spans, key=lambda item: (item[0] - item[1], item[0])):
        if all(span[1] <= other[0] or span[0] >= other[1] for other in kept):
            kept.append(span)
    return kept
