"""One area for each language model: whether its vendor knows the key and the model, and what money is left.

Nothing is generated: the vendor is asked about the model, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.doctor.reaching import ANSWER_SECONDS, CONNECT_SECONDS, check_reach
from sophia_assets.doctor.systems import check_circuit
from sophia_assets.errors import SophiaError
from sophia_assets.plain_text import visible

if TYPE_CHECKING:
    from requests import Response

    from sophia_assets.doctor.patient import Patient
    from sophia_assets.llm.sdk_provider import Access

NAMES = {"anthropic": "Anthropic", "openai": "OpenAI"}
# The one that the SDK asks for; a test holds the two together.
_VERSION = "2026-10-21"
_LONGEST_SAID = 200


def check_provider(patient: Patient, provider: str) -> Iterator[Finding]:
    """Everything about one vendor of language models."""
    about, settings = Findings(provider), patient.settings.llm
    if provider not in settings.chain:
        why = "the offline writer writes, and no model" if not settings.chain else f"{NAMES[provider]} is not in use"
        yield about.skipped("writer", f"{why} (SOPHIA_WRITER={settings.writer})")
        return
    if patient.store().is_usable:
        yield from check_circuit(patient, about, provider)
        yield _budget(patient, about, provider)
    if patient.is_offline:
        yield about.skipped("connection", f"{NAMES[provider]} was not asked (--offline)")
        return
    if settings.modes[provider] == "sandbox" and not settings.addresses.get(provider) and patient.sandbox is None:
        told = f"{NAMES[provider]} is the sandbox's, which is not running; `sophia run` starts it by itself"
        yield about.skipped("connection", told, "Run `sophia sandbox up` beside this to have it asked")
        return
    yield from _asked(patient, about, provider)


def _budget(patient: Patient, about: Findings, provider: str) -> Finding:
    from sophia_assets.llm.budget import ALERT_PERCENT, begins_anew
    from sophia_assets.llm.prices import shown
    from sophia_assets.llm.usage import UsageLedger
    from sophia_assets.settings.llm import BUDGET

    settings = patient.settings
    ledger = UsageLedger(patient.services.control, settings.llm, timezone=settings.tzinfo)
    standing = ledger.standing(provider in settings.llm.simulated)
    kind = "simulated budget" if standing.is_simulated else "budget"
    if standing.budget <= 0:
        remedy = f"Set {BUDGET} to an amount in US dollars, or SOPHIA_WRITER=offline"
        return about.warning("budget", "the day's budget is $0, so that no model is ever asked", remedy)
    told = f"of the day's {kind} of {shown(standing.budget)}, {shown(standing.spent)} is spent"
    told += f", {shown(standing.reserved)} reserved" if standing.reserved else ""
    remedy = f"It starts anew at {begins_anew(standing.day, settings.tzinfo)}; {BUDGET} raises it"
    if standing.percent >= 100 or standing.left <= 0:
        return about.problem("budget", f"{told}: no model is asked any more today", remedy)
    if standing.percent >= ALERT_PERCENT:
        return about.warning("budget", told, remedy)
    return about.ok("budget", told)


def _asked(patient: Patient, about: Findings, provider: str) -> Iterator[Finding]:
    from sophia_assets.llm.connecting import access_to, check_key

    setting = f"{provider.upper()}_BASE_URL"
    try:
        access = access_to(patient.services, provider)()
        check_key(provider, access.key)
    except SophiaError as error:
        yield about.failed("credential", error)
        return
    reached = list(check_reach(patient, about, NAMES[provider], access.address, setting))
    yield from reached
    if reached[0].standing == "problem":
        return
    yield from _model(about, provider, patient.settings.llm.models[provider], access)


def _model(about: Findings, provider: str, model: str, access: Access) -> Iterator[Finding]:
    """Asks about the model by its name."""
    import requests

    name, upper = NAMES[provider], provider.upper()
    base = access.address.rstrip("/")
    path = "/models/" if provider == "openai" else "/v1/models/"
    headers = {"Authorization": f"Bearer {access.key}"}
    if provider == "anthropic":
        headers = {"x-api-key": access.key, "anthropic-version": _VERSION}
    try:
        with requests.Session() as session:
            session.trust_env = "127.0.0.1" not in base and "localhost" not in base
            answer = session.get(
                base + path + quote(model, safe=":."),
                headers=headers,
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                allow_redirects=False,
            )
    except requests.RequestException as error:
        told = f"{name} did not answer about its models ({type(error).__name__})"
        yield about.problem("connection", told, f"See its status page and {upper}_BASE_URL, and run this again")
        return
    if answer.status_code in (401, 403):
        remedy = f"Check {upper}_API_KEY: {name}'s console makes keys, and says what each may do"
        yield about.problem("credential", f"{name} refused the key ({_said(answer)})", remedy)
    elif answer.status_code == 404:
        remedy = f"Set SOPHIA_{upper}_MODEL to a model that the account may use, or leave it out"
        yield about.ok("credential", f"{name} accepts it")
        yield about.problem("model", f"{name} does not know the model {model} ({_said(answer)})", remedy)
    elif answer.status_code == 429:
        yield about.warning("limit", f"{name}'s limit is spent ({_said(answer)})", "Wait, or ask the vendor for more")
    elif answer.status_code != 200:
        remedy = "See its status page, and run this again later"
        yield about.problem("connection", f"{name} answered {_said(answer)}", remedy)
    else:
        yield about.ok("credential", f"{name} accepts it")
        yield about.ok("model", f"{model} is there")


def _said(answer: Response) -> str:
    """The status and the vendor's own sentence, cut short."""
    try:
        body = answer.json()
        error = body.get("error") if isinstance(body, dict) else None
        message = str(error.get("message") or "") if isinstance(error, dict) else ""
    except ValueError:
        message = ""
    return f"{answer.status_code} {visible(message)[:_LONGEST_SAID]}".strip().rstrip(".")
