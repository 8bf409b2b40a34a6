"""What a briefing says of systems that operators have switched off, or of which only a part is served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sophia_assets.control.rollouts import EVERYTHING, Shares, entities_of
from sophia_assets.insight.writing import Rollout, SourceStatus
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.facts import FactSet
from sophia_assets.metrics.origins import systems_seen_in


def with_rollouts(
    statuses: Iterable[SourceStatus], facts: FactSet, shares: Shares, switched_off: Mapping[str, str]
) -> tuple[SourceStatus, ...]:
    """The statuses with what operators have set: the present `shares`, and by which flag systems are switched off.

    `facts` are those that were computed for the briefing, be it under other shares.
    """
    return tuple(
        replace(
            status,
            rollout=Rollout(
                percent=shares.of(status.system),
                entities=entities_of(status.system),
                switched_off_by=switched_off.get(status.system, ""),
                has_changed=facts.shares.get(status.system, EVERYTHING) != shares.of(status.system),
            ),
        )
        for status in statuses
    )


def facts_still_served(facts: FactSet, shares: Shares) -> FactSet:
    """The facts without those that see anything of a system whose share has changed since they were computed."""
    changed = {
        system
        for system in {*facts.shares, *shares.partial()}
        if facts.shares.get(system, EVERYTHING) != shares.of(system)
    }
    if not changed:
        return facts
    metrics = load_catalog().metrics
    kept = [fact for fact in facts if fact.metric in metrics and changed.isdisjoint(systems_seen_in(fact.metric))]
    unknown = [entry for entry in facts.unknown if entry.metric in metrics]
    return FactSet(kept, unknown, facts.shares)


def rollout_sentences(status: SourceStatus) -> list[str]:
    """What has to be told of a system that is not served whole, or not read; nothing of one that is off."""
    name, rollout = status.display_name, status.rollout
    if status.state in ("off", "empty"):
        return []
    if rollout.is_withheld:
        return [f"{name} is taken back for now, so figures that rest on it are left out."]
    told = []
    if rollout.percent < EVERYTHING:
        told.append(f"{name} is served for {rollout.percent}% of its {rollout.entities}; its figures cover no others.")
    if rollout.has_changed:
        told.append(
            f"Which part of {name} is served was changed after the figures were computed, so those that rest on it are "
            "left out."
        )
    if rollout.switched_off_by:
        told.append(f"{name} is switched off for now, so nothing new is read from it.")
    return told
