"""What the offline writer says of the product: how much it is used, and what the teams delivered."""

from __future__ import annotations

from sophia_assets.insight.nouns import noun
from sophia_assets.insight.offline_stories import comparison, of_fact, slot
from sophia_assets.insight.telling import beside, flow
from sophia_assets.insight.writing import BriefingRequest, DraftSentence
from sophia_assets.metrics.facts import Fact


def product_sentences(request: BriefingRequest) -> list[DraftSentence]:
    """Use, delivery and open bugs, one sentence each, as far as they are known."""
    actions, completed = (flow(request, metric) for metric in ("product_actions", "issues_completed"))
    bugs = request.facts.total("open_bugs", "as_of")
    sentences = []
    if actions is not None:
        sentences.append(_use(actions, beside(request, actions, "active_accounts")))
    if completed is not None:
        sentences.append(_delivered(completed, beside(request, completed, "cycle_time_days")))
    if bugs is not None:
        sentences.append(DraftSentence(f"{noun(bugs).opening} {noun(bugs).be} {slot(bugs)}{comparison(bugs)}."))
    return sentences


def _use(actions: Fact, accounts: Fact | None) -> DraftSentence:
    text = f"Use of the product came to {slot(actions)} {of_fact(actions, 'action')} {slot(actions, 'period')}"
    text += comparison(actions)
    if accounts is not None:
        text += f", with {slot(accounts)} active {of_fact(accounts, 'account')}"
    return DraftSentence(text + ".")


def _delivered(completed: Fact, cycle_time: Fact | None) -> DraftSentence:
    text = f"The teams completed {slot(completed)} {of_fact(completed, 'issue')} {slot(completed, 'period')}"
    text += comparison(completed)
    if cycle_time is not None:
        text += f", with a cycle time of {slot(cycle_time)}"
    return DraftSentence(text + ".")
