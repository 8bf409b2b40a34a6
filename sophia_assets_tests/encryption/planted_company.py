"""A small simulated company in which one account, deal, call, chat, issue and document say what nobody else says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from sophia_assets.sandbox.company import simulate_company
from sophia_assets.sandbox.company_data import CompanyData

FIRST_DAY, LAST_DAY = date(2026, 7, 1), date(2026, 11, 20)
ACCOUNT = "Zephyrquartz Müller Holdings"
DEAL = "Vermilionade rollout"
CALL = "We need the Obsidianfern module before the audit."
CHAT = "Thistlewhack is down again for them, who can look?"
ISSUE = "Quagmirette export loses the last column"
DOCUMENT = "Bumbleforth runbook: restart the Snickerwell queue first."
AMOUNT = "8675309"
CANARIES = (ACCOUNT, DEAL, CALL, CHAT, ISSUE, DOCUMENT, AMOUNT, "$8.68M", "8,675,309", "Zephyrquartz", "Vermilionade")


def planted_company(seed: int = 7, scale: float = 0.15) -> CompanyData:
    """The company; every system says one thing of its own."""
    company = simulate_company(seed, FIRST_DAY, LAST_DAY, scale=scale)
    assert company.hubspot and company.gong and company.slack and company.linear and company.pinecone
    account = company.hubspot.objects["companies"][0]
    old = str(account.properties["name"])
    account.properties["name"] = ACCOUNT
    deal = max(company.hubspot.objects["deals"], key=lambda each: each.updated_at)
    deal.properties |= {"dealname": DEAL, "amount": AMOUNT}
    call = next(each for each in company.gong.calls if each.account_name == old and each.sentences)
    speaker, topic, start, end, _ = call.sentences[-1]
    call.sentences[-1] = (speaker, topic, start, end, CALL)
    channel = max(company.slack.channels, key=lambda each: len(each.messages))
    said = next(place for place, each in enumerate(channel.messages) if each.user_id and not each.subtype)
    channel.messages[said] = replace(channel.messages[said], text=CHAT)
    company.linear.issues[-1].title = ISSUE
    records = next(each for each in company.pinecone.namespaces.values() if each)
    records[0].metadata |= {"text": DOCUMENT, "title": DOCUMENT}
    return company
