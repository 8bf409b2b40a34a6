"""The planted stories as data, for evaluation."""

from __future__ import annotations

from typing import Any

from sophia_assets.sandbox.company_data import CompanyData


def truth_as_json(company: CompanyData) -> dict[str, Any]:
    """The stories that had begun by the company's last day, oldest first.

    Shape: `{"as_of": "YYYY-MM-DD", "stories": [{"id", "kind", "subject_type", "subject_id",
    "subject_name", "visible_from", "visible_to", "visible", "detail"}]}`; `visible` says whether a
    briefing dated `as_of` should tell the story.
    """
    stories = [
        {
            "id": story.id,
            "kind": story.kind,
            "subject_type": story.subject_type,
            "subject_id": story.subject_id,
            "subject_name": story.subject_name,
            "visible_from": story.visible_from.isoformat(),
            "visible_to": story.visible_to.isoformat(),
            "visible": story.visible_from <= company.last_day <= story.visible_to,
            "detail": dict(story.detail),
        }
        for story in sorted(company.stories, key=lambda story: (story.visible_from, story.id))
    ]
    return {"as_of": company.last_day.isoformat(), "stories": stories}
