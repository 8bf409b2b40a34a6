"""Faults of systems and language models, planted in stand-ins, credentials, addresses and on the way there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

from sophia_assets.control.breaker import Failure, State
from sophia_assets.control.schema import llm_calls
from sophia_assets.doctor.findings import Standing
from sophia_assets_tests.certificates import self_signed
from sophia_assets_tests.doctor.ground import Case, Place, Plant
from sophia_assets_tests.doctor.proxy import Change, as_it_is, date_shifted, proxied, with_headers, with_text

WARNING = Standing.WARNING


def settings(**given: str) -> Plant:
    """Settings that are otherwise."""

    @contextmanager
    def planted(place: Place) -> Iterator[None]:
        place.environment.update(given)
        yield

    return planted


def without(*names: str) -> Plant:
    """Settings that are not there."""

    @contextmanager
    def planted(place: Place) -> Iterator[None]:
        for name in names:
            place.environment.pop(name)
        yield

    return planted


def both(*plants: Plant) -> Plant:
    """Several things at once."""

    @contextmanager
    def planted(place: Place) -> Iterator[None]:
        with ExitStack() as stack:
            for plant in plants:
                stack.enter_context(plant(place))
            yield

    return planted


def fault(*texts: str) -> Plant:
    """Faults of the stand-ins."""

    @contextmanager
    def planted(place: Place) -> Iterator[None]:
        with ExitStack() as stack:
            for text in texts:
                stack.enter_context(place.ground.fault(text))
            yield

    return planted


def behind(setting: str, change: Change = as_it_is, *, certificate_days: float | None = None) -> Plant:
    """A proxy on the way."""

    @contextmanager
    def planted(place: Place) -> Iterator[None]:
        file = None
        if certificate_days is not None:
            file = self_signed(place.folder / "proxy.pem", days=certificate_days)
        with proxied(place.environment[setting], change, certificate=file) as address:
            # Slack's methods follow its address.
            place.environment[setting] = address
            yield

    return planted


def stored(change: Callable[[Place], None]) -> Plant:
    """Something in the home, or in what belongs to it."""

    @contextmanager
    def planted(place: Place) -> Iterator[None]:
        change(place)
        yield

    return planted


def _opened(place: Place) -> None:
    with place.control() as services:
        services.circuits.failed("gong", Failure("authentication", "Gong refused the credential (401)"), credential="x")


def _forced(place: Place) -> None:
    with place.control() as services:
        services.circuits.force("linear", State.OPEN, "ada", "maintenance until noon")


def _switched_off(place: Place) -> None:
    with place.control() as services:
        services.flags.set("slack.enabled", "off", "ada", "too loud")


def _failed_last(place: Place) -> None:
    with place.control() as services:
        at = datetime.now(UTC) - timedelta(hours=3)
        services.attempts.failed("hubspot", "deals", "hubspot/deals: HubSpot answered 502", at, kind="connection")


def _spent(place: Place) -> None:
    now = datetime.now(UTC)
    row = {
        "id": "spent", "started_at": now, "day": now.date(), "purpose": "briefing", "key": "k", "provider": "openai",
        "model": "gpt-5.5", "prompt_version": "1", "is_simulated": False, "input_estimate": 1, "estimate_nano_usd": 0,
        "reserved_nano_usd": 0, "state": "ended", "outcome": "ok", "input_tokens": 1, "output_tokens": 1,
        "cached_tokens": 0, "is_estimated": False, "cost_nano_usd": 5_000_000_001,
    }  # fmt: skip
    with place.control() as services, services.control.transaction() as connection:
        connection.execute(llm_calls.insert().values(row))


def _redis_user(rights: str) -> Plant:
    """A real Redis whose user may do less."""

    @contextmanager
    def planted(place: Place) -> Iterator[None]:
        redis = place.ground.redis
        redis.command("HSET usage:account:1 plan basic")
        redis.command(f"ACL SETUSER limited reset on >limited-secret-password {rights}")
        place.environment["REDIS_URL"] = f"redis://limited:limited-secret-password@127.0.0.1:{redis.port}/0"
        yield
        redis.command("ACL DELUSER limited")

    return planted


def _redis_password(password: str) -> Plant:
    @contextmanager
    def planted(place: Place) -> Iterator[None]:
        user, _, server = place.environment["REDIS_URL"].rpartition("@")
        place.environment["REDIS_URL"] = f"{user.rpartition(':')[0]}:{password}@{server}"
        yield

    return planted


def _all_dates(by: timedelta) -> Plant:
    names = ("GONG_BASE_URL", "HUBSPOT_BASE_URL", "SLACK_BASE_URL", "LINEAR_API_URL", "PINECONE_INDEX_HOST")
    models = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")
    return both(*(behind(name, date_shifted(by)) for name in (*names, *models)))


_HARDLY_ANY_LEFT = {"x-hubspot-ratelimit-daily": "625000", "x-hubspot-ratelimit-daily-remaining": "900"}

CASES = (
    Case("gong: wrong key", settings(GONG_ACCESS_KEY="wrong-access-key"), "gong", "credential",
         ("refused the credential", "401"), ("GONG_ACCESS_KEY",)),
    Case("gong: scopes missing", fault("gong:missing_scope"), "gong", "permission api:settings:trackers:read",
         ("is missing", "gong.trackers", "api:settings:trackers:read"), ("scope",), consequences=("gong",)),
    Case("gong: down", fault("gong:down"), "gong", "address", ("cut the connection",), ("status page",)),
    Case("gong: limit spent for two hours", fault("gong:rate_limit:7200"), "gong", "limit",
         ("request limit is spent",), ("Run again after",)),
    Case("gong: answers with 5xx", fault("gong:errors:1"), "gong", "connection", ("answered 5",), ("status page",)),
    Case("gong: circuit opened by a refusal", stored(_opened), "gong", "circuit",
         ("open since", "refused the credential"), ("sophia circuit reset gong",)),
    Case("hubspot: wrong token", settings(HUBSPOT_ACCESS_TOKEN="pat-wrong-token"), "hubspot", "credential",
         ("refused the credential",), ("HUBSPOT_ACCESS_TOKEN",)),
    Case("hubspot: scope missing", fault("hubspot:missing_scope"), "hubspot", "permission tickets",
         ("is missing", "hubspot.tickets"), ("scope",)),
    Case("hubspot: name does not resolve", settings(HUBSPOT_BASE_URL="https://api.hubapi.invalid"), "hubspot",
         "address", ("does not resolve",), ("HUBSPOT_BASE_URL",)),
    Case("hubspot: live without a token", both(without("HUBSPOT_ACCESS_TOKEN"), settings(SOPHIA_HUBSPOT_MODE="live")),
         "hubspot", "connection", ("HUBSPOT_ACCESS_TOKEN is not set",), (".env",)),
    Case("hubspot: the day's requests nearly spent",
         behind("HUBSPOT_BASE_URL", with_headers(_HARDLY_ANY_LEFT)), "hubspot", "budget", ("900 of 625,000",),
         ("ask less",)),
    Case("hubspot: the last attempt failed", stored(_failed_last), "hubspot", "last attempt",
         ("deals failed", "502"), ("ingest_hubspot",), WARNING),
    Case("slack: wrong token", settings(SLACK_BOT_TOKEN="xoxb-wrong-token"), "slack", "credential",
         ("invalid_auth",), ("SLACK_BOT_TOKEN",)),
    Case("slack: scope missing", fault("slack:missing_scope"), "slack", "permission channels:history, groups:history",
         ("is missing", "slack.messages"), ("Add the scope", "reinstall")),
    Case("slack: granted scopes lack one",
         behind("SLACK_BASE_URL", with_headers({"x-oauth-scopes": "channels:read,groups:read,channels:history,"
                                               "groups:history,users:read"})), "slack", "permission users:read.email",
         ("users:read.email", "slack.users"), ("reinstall",)),
    Case("slack: the app is in no channel",
         behind("SLACK_BASE_URL", with_text(b'"is_member":true', b'"is_member":false')), "slack", "channels",
         ("in none of",), ("/invite",), WARNING),
    Case("slack: expired certificate", behind("SLACK_BASE_URL", certificate_days=-5), "slack", "address",
         ("certificate that ended on",), ("renew",)),
    Case("linear: certificate that nobody vouches for", behind("LINEAR_API_URL", certificate_days=300), "linear",
         "address", ("cannot be verified", "self-signed"), ("REQUESTS_CA_BUNDLE",)),
    Case("linear: wrong key", settings(LINEAR_API_KEY="lin_api_wrong_key"), "linear", "credential",
         ("refused the credential",), ("LINEAR_API_KEY",)),
    Case("linear: refuses connections", settings(LINEAR_API_URL="http://127.0.0.1:9/graphql"), "linear", "address",
         ("refuses connections",), ("LINEAR_API_URL",)),
    Case("linear: forced open by an operator", stored(_forced), "linear", "circuit",
         ("forced open by ada", "maintenance"), ("sophia circuit reset linear",), WARNING),
    Case("linear: too slow", fault("linear:slow:7"), "linear", "address", ("did not answer within",), ("status page",)),
    Case("slack: switched off by a flag", stored(_switched_off), "slack", "flags", ("slack.enabled is off",),
         ("sophia flags set slack.enabled on",), WARNING),
    Case("pinecone: wrong key", settings(PINECONE_API_KEY="wrong-pinecone-key"), "pinecone", "credential",
         ("refused the credential",), ("PINECONE_API_KEY",)),
    Case("pinecone: answers that break off", fault("pinecone:truncate"), "pinecone", "permission DataPlaneViewer",
         ("not valid JSON",), ("PINECONE_INDEX_HOST",)),
    Case("pinecone: empty index", behind("PINECONE_INDEX_HOST", with_text(b'"totalVectorCount":', b'"total":')),
         "pinecone", "index", ("holds 0 vectors",), ("PINECONE_INDEX_HOST",), WARNING),
    Case("redis: wrong password", _redis_password("wrong-redis-password"), "redis",
         "credential", ("refused the login",), ("REDIS_URL",)),
    Case("redis: user without the stream", _redis_user("~usage:* +@read +ping +select +info -xrange"), "redis",
         "permission XRANGE", ("is missing", "redis.events"), ("ACL SETUSER",)),
    Case("redis: user without INFO", _redis_user("~usage:* +@read +ping +select"), "redis", "INFO",
         ("may not run INFO",), ("+info",), WARNING),
    Case("redis: keys begin otherwise", settings(REDIS_PREFIX="metrics:"), "redis", "keys",
         ("no key begins with metrics:",), ("REDIS_PREFIX",), WARNING),
    Case("redis: nobody there", settings(REDIS_URL="redis://127.0.0.1:9/0"), "redis", "connection",
         ("cannot be reached",), ("REDIS_URL",)),
    Case("snowflake: wrong password", settings(SNOWFLAKE_PASSWORD="wrong-snowflake-password"), "snowflake",
         "credential", ("refused the login",), ("SNOWFLAKE_PASSWORD",)),
    Case("snowflake: another database", settings(SNOWFLAKE_DATABASE="ELSEWHERE"), "snowflake",
         "permission SELECT on ELSEWHERE.SALES.DEALS", ("is missing", "snowflake.sales_deals"),
         ("SNOWFLAKE_DATABASE",), consequences=("snowflake",)),
    Case("clock: one vendor's is wrong", behind("GONG_BASE_URL", date_shifted(timedelta(minutes=10))), "clock", "Gong",
         ("10 minutes ahead", "others agree"), ("proxy",), WARNING),
    Case("clock: this machine's is wrong", _all_dates(timedelta(minutes=-45)), "clock", "this machine",
         ("45 minutes ahead of",), ("timedatectl",)),
    Case("openai: wrong key", settings(OPENAI_API_KEY="sk-wrong-openai-key"), "openai", "credential",
         ("refused the key",), ("OPENAI_API_KEY",)),
    Case("openai: unknown model", settings(SOPHIA_OPENAI_MODEL="gpt-17"), "openai", "model", ("gpt-17",),
         ("SOPHIA_OPENAI_MODEL",)),
    Case("openai: budget spent", stored(_spent), "openai", "budget", ("$5.00", "is spent"),
         ("SOPHIA_LLM_DAILY_BUDGET_USD",), consequences=("anthropic",)),
    Case("anthropic: no budget", settings(SOPHIA_LLM_DAILY_BUDGET_USD="0"), "anthropic", "budget", ("$0",),
         ("SOPHIA_LLM_DAILY_BUDGET_USD",), WARNING),
)  # fmt: skip
