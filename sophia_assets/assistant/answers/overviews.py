"""Answers to "how are we doing": the company by its newest briefing, one account or other entity, a topic.

Belongs here: which facts and stories these answers show. Does not belong here: how stories are found and written
(`insight`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sophia_assets.access.policies import may_read_quotes
from sophia_assets.assistant.answers import saying, spans_of_time
from sophia_assets.assistant.answers.composing import MOST_INSIGHTS, Asked, Composed, row, same_columns
from sophia_assets.assistant.answers.fact_source import NothingKnown, NotToBeSeen
from sophia_assets.assistant.answers.reference import freshness
from sophia_assets.assistant.understanding.vocabulary import COMPANY_METRICS
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.offline_stories import slot
from sophia_assets.metrics.facts import Fact
from sophia_assets.metrics.filters import Filter

#: What the state of the company is told by, where no briefing tells it.
HEADLINES = (
    "bookings",
    "mrr",
    "pipeline_value",
    "satisfaction_score",
    "customers_at_risk",
    "churn_risk_mentions",
    "product_actions",
    "open_bugs",
    "issues_completed",
    "rows_set_aside",
    "tables_lacking_columns",
)
#: What is asked first of one account, and of anybody else, in the order in which it is told.
_OF_ACCOUNT = (
    "mrr",
    "customer_health",
    "pipeline_value",
    "open_deals",
    "satisfaction_score",
    "product_actions",
    "open_bugs",
    "days_to_renewal",
    "overdue_amount",
    "worried_conversations",
    "bookings",
)
_OF_OTHERS = (
    "bookings",
    "pipeline_value",
    "win_rate",
    "open_deals",
    "sales_activities",
    "customer_health",
    "customers_at_risk",
    "issues_completed",
    "open_issues",
    "open_bugs",
    "cycle_time_days",
    "mrr",
    "active_customers",
    "rows_held",
    "rows_set_aside",
)
_MOST_STORIES = 4
_MOST_HEADLINES = 5


def overview(asked: Asked) -> Composed:
    """How the company, an entity or a topic stands."""
    entity = next((f for f in asked.reading.filters if len(f.ids) == 1 and not f.is_excluded), None)
    if entity is not None and entity.dimension == "system":
        return freshness(asked)
    if entity is not None:
        return _of_entity(asked, entity)
    is_company = not asked.reading.filters and set(asked.reading.metrics) in (set(), set(COMPANY_METRICS))
    if not is_company:
        return _of_topic(asked)
    if asked.briefing is not None and asked.briefing.bottom_line and asked.reading.period is None:
        return _of_briefing(asked)
    return _of_headlines(asked, HEADLINES)


def _of_briefing(asked: Asked) -> Composed:
    """The newest briefing's bottom line and the stories that it tells."""
    briefing = asked.briefing
    assert briefing is not None
    found = Composed(may_be_phrased=False)
    found.plain.append(briefing.bottom_line)
    stories = [story for story in briefing.stories if story.sentences][:_MOST_STORIES]
    found.plain_insights = [story.sentences[0] for story in stories][:MOST_INSIGHTS]
    cited = [*briefing.bottom_line_facts, *(each for story in stories for each in story.fact_ids)]
    facts = [fact for fact in map(briefing.by_id, dict.fromkeys(cited)) if fact is not None]
    wholes = [fact for fact in briefing.facts.values() if not fact.dimensions and "." not in fact.period.key]
    known = {fact.metric: fact for fact in reversed(wholes)}
    shown = [known[name] for name in HEADLINES if name in known]
    found.rows = list(same_columns([row(fact) for fact in shown]))
    found.citations = list({fact.id: fact for fact in [*facts, *shown]}.values())
    asked.facts.answered_from[briefing.name] = None
    if briefing.day != asked.day:
        found.caveats.append(
            f"The newest briefing is of {spans_of_time.day_of(briefing.day)}, "
            f"the data reaches to {spans_of_time.day_of(asked.day)}."
        )
    return found


def _of_headlines(asked: Asked, names: Sequence[str]) -> Composed:
    found = Composed()
    for name in names:
        if len(found.facts) == _MOST_HEADLINES:
            break
        fact = _known(asked, name, asked.reading.filters)
        if fact is not None:
            _tell(asked, fact, found)
    if not found.facts:
        raise NothingKnown("there is nothing that you may see to give an overview of", remedy="Ask what you can ask")
    found.rows = list(same_columns(found.rows))
    return found


def _tell(asked: Asked, fact: Fact, found: Composed) -> None:
    found.show(fact)
    found.rows.append(row(fact))
    found.say(saying.stated(fact, asked.day))


def _known(asked: Asked, name: str, filters: Sequence[Filter] = ()) -> Fact | None:
    """A metric's fact where it may be seen and there is one; nothing is said of what may not be seen."""
    if not asked.facts.has(name):
        return None
    metric = asked.facts.catalog.metrics[name]
    if not {each.dimension for each in filters} <= set(metric.dimensions):
        return None
    return asked.facts.whole(metric, asked.reading.period, asked.reading.compared_to, filters)


def _of_topic(asked: Asked) -> Composed:
    """The metrics of a topic, each in a sentence, and what the newest briefing tells of them."""
    # A topic stands for several figures; who may see some of them is told of these.
    names = [name for name in asked.reading.metrics if asked.facts.may_see(name)]
    if not names:
        raise NotToBeSeen("that is not among the figures you may see")
    found = _of_headlines(asked, names)
    if asked.briefing is not None and not asked.reading.filters:
        for story in asked.briefing.stories_of(names)[:2]:
            asked.facts.answered_from[asked.briefing.name] = None
            found.plain_insights.append(f"The {asked.briefing.name} tells: {story.sentences[0]}")
            facts = [asked.briefing.by_id(each) for each in story.fact_ids]
            found.citations += [fact for fact in facts if fact is not None]
        found.may_be_phrased = not found.plain_insights
    found.may_be_phrased = found.may_be_phrased and not asked.scope
    return found


def _of_entity(asked: Asked, entity: Filter) -> Composed:
    """What is known of one account, seller, team or other entity; of an account also its contact and renewal."""
    is_account = entity.dimension == "account"
    names = asked.reading.metrics or (_OF_ACCOUNT if is_account else _OF_OTHERS)
    facts = []
    for name in names:
        fact = _known(asked, name, asked.reading.filters)
        if fact is not None and not (fact.value == 0 and fact.previous in (0, None) and name not in ("mrr",)):
            facts.append(fact)
    name = saying.literal(safe_name(entity.names[0] if entity.names else entity.ids[0]))
    if not facts:
        raise NothingKnown(f"nothing is known of {name} that you may see", remedy="Ask about another one")
    found = Composed(may_be_phrased=False)
    found.show(*facts)
    found.rows = list(same_columns([row(fact) for fact in facts]))
    found.say(*(_short(asked, fact, place) for place, fact in enumerate(facts[:4])))
    for fact in facts[4:]:
        found.add(saying.stated(fact, asked.day))
    if is_account:
        _contact(asked, entity, found)
    if asked.briefing is not None:
        for story in asked.briefing.stories_about(entity.dimension, entity.ids[0])[:1]:
            found.plain_insights = [f"The {asked.briefing.name} tells: {story.sentences[0]}", *found.plain_insights]
            cited = [asked.briefing.by_id(each) for each in story.fact_ids]
            found.citations += [fact for fact in cited if fact is not None]
    found.insights = found.insights[: max(0, MOST_INSIGHTS - len(found.plain_insights))]
    trends = [fact for fact in facts if asked.facts.catalog.metrics[fact.metric].series]
    found.ideas += [f"{fact.label} trend for {name}" for fact in trends[:2]]
    if is_account and may_read_quotes(asked.question.principal):
        found.ideas.append(f"What does {name} say?")
    return found


def _short(asked: Asked, fact: Fact, place: int) -> str:
    """The first figure with the name it is about; the next ones without, since they follow."""
    if not place:
        return saying.stated(fact, asked.day)
    name = noun(fact)
    whose = "Their" if "owner" in fact.dimensions else "Its"
    its = f"{whose} {name.text.removeprefix('the ')}"
    return f"{its} {saying.be(fact, asked.day)} {slot(fact)}{saying.when(fact, asked.day)}{saying.compared(fact)}."


def _contact(asked: Asked, entity: Filter, found: Composed) -> None:
    """Since when nobody has spoken with an account, when it renews, and who looks after it."""
    wanted = {
        "last_contact_on": asked.facts.has("customers_out_of_touch"),
        "renews_on": asked.facts.has("days_to_renewal"),
        "owner": asked.facts.has("customer_health") or asked.facts.has("bookings"),
    }
    columns = [column for column, may in wanted.items() if may]
    if not columns:
        return
    condition = asked.facts.account_condition
    sql = f"SELECT {', '.join(f't.{column}' for column in columns)} FROM marts.accounts AS t WHERE t.account_id = ?"
    rows = asked.data.query(f"{sql}{f' AND {condition}' if condition else ''}", [entity.ids[0]]).to_pylist()
    known: dict[str, Any] = {key.lower(): value for key, value in rows[0].items()} if rows else {}
    parts = []
    if isinstance(known.get("last_contact_on"), date):
        parts.append(f"the last contact was on {spans_of_time.day_of(known['last_contact_on'])}")
    if isinstance(known.get("renews_on"), date):
        parts.append(f"it renews on {spans_of_time.day_of(known['renews_on'])}")
    if known.get("owner") and str(known["owner"]).lower() != "unassigned":
        parts.append(f"{safe_name(str(known['owner']))} looks after it")
    if parts:
        from sophia_assets.insight.names import listed

        text = listed(parts)
        found.plain.append(f"{text[:1].upper()}{text[1:]}.")
