"""The audit page shows no secret that somebody wrote into a question."""

from __future__ import annotations

import requests

from sophia_assets.access.principal import Principal
from sophia_assets_tests.web.serving import Served


def test_a_secret_in_a_question_is_masked_on_the_audit_page(site: Served) -> None:
    asked = {"question": "my password is hunter22 and bob@corp.example asks for sk-1234567890abcdef", "depth": [1]}
    asker = Principal("talkative", "analyst", "page")
    site.services.audit.record(asker, "ask", "bookings", "allowed", asked)
    page = site.browser().get(f"{site.address}/audit?who=talkative", timeout=30)
    assert page.status_code == requests.codes.ok and "my password is [secret] and [e-mail] asks for" in page.text
    assert not any(secret in page.text for secret in ("hunter22", "bob@corp", "sk-1234"))
    (entry,) = site.services.audit.tail(5, who="talkative")
    assert entry.details["question"] == asked["question"]
