"""Nobody learns what its role may not see: every role, every metric, every channel, caches and follow-ups included."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence

import duckdb
import pytest

from sophia_assets.access.policies import deny_metric
from sophia_assets.access.principal import Principal, RowScope
from sophia_assets.access.roles import ROLES, may_see, visible_facts
from sophia_assets.home import Home
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.catalog.entries import Metric
from sophia_assets.metrics.facts import FactSet
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.access.channels import CHANNELS, KNOWS_USERS, Channel, Reader, Reply, by_api
from sophia_assets_tests.finished_home import LAST_DAY, copied_home
from sophia_assets_tests.web.serving import Served, folder_for, served

pytestmark = [pytest.mark.takes(60), pytest.mark.timeout(600)]

METRICS = tuple(load_catalog().metrics.values())
LEADERS = ("sales_leader", "engineering_leader", "analyst", "auditor")
_NONCE = re.compile(r'nonce="[^"]+"')
# Shorter figures, such as 12, stand for many things.
_SHORTEST = 4
#: A few metrics of each area, for the channels that take long.
FEW = tuple(metric for place, metric in enumerate(METRICS) if place % 9 == 0 or metric.name in ("mrr", "bookings"))


@pytest.fixture(scope="module")
def site(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The real process over a copied home, with the real assistant."""
    home = copied_home(finished_home, folder_for(tmp_path_factory, "leaks"))
    with served(home, {"SOPHIA_WEB_LOGINS_PER_MINUTE": "100000"}) as running:
        yield running


@pytest.fixture(scope="module")
def facts(site: Served) -> FactSet:
    return site.services.compute_facts(LAST_DAY)


def asked_about(metric: Metric) -> Sequence[tuple[str, Sequence[str]]]:
    """Ways to get at a metric: plainly, by its parts, as the rest of a conversation."""
    label = metric.label
    ways: list[tuple[str, Sequence[str]]] = [(f"What is {label}?", ()), ("And last month?", (f"What is {label}?",))]
    if metric.dimensions:
        ways.append((f"{label} by {metric.dimensions[0].replace('_', ' ')}", ()))
    return ways


def secrets(role: str, metric: Metric, facts: FactSet) -> set[str]:
    """The figures of a metric that the role may not see, and that no figure which it may see looks like."""
    seen = {text for fact in visible_facts(role, facts) for text in shown(fact)}
    return {text for fact in facts if fact.metric == metric.name for text in shown(fact)} - seen


def shown(fact: object) -> set[str]:
    names = ("display", "previous_display", "delta_display", "run_rate_display", "target_display")
    texts = {getattr(fact, name) for name in names}
    return {text for text in texts if text and len(text) >= _SHORTEST}


def leaked(reply: Reply, hidden: set[str]) -> set[str]:
    """Which of the hidden texts stand in what came back, as words of their own."""
    text = html.unescape(reply.text)
    return {each for each in hidden if re.search(rf"(?<![\w.,$]){re.escape(each)}(?![\w.,%]*\d|\w|%)", text)}


def refused_for(channel: Channel, site: Served, role: str, metrics: Sequence[Metric], facts: FactSet) -> list[str]:
    """What went wrong for a role that asks for metrics which it may not see."""
    wrong = []
    for metric in metrics:
        if may_see(role, metric):
            continue
        hidden = secrets(role, metric, facts)
        for question, earlier in asked_about(metric):
            # The executive's answer to the same question lies in the cache.
            by_api(site, Reader("ada", "executive"), question, earlier)
            reply = channel(site, Reader(role, role), question, earlier)
            if leaked(reply, hidden) or cites(reply, metric):
                wrong.append(f"{role} / {question!r} after {earlier}: {reply.status} {leaked(reply, hidden)}")
    return wrong


def cites(reply: Reply, metric: Metric) -> bool:
    """Whether an answer has the metric among what it rests on."""
    return f'"metric": "{metric.name}"' in reply.text or f'"metric":"{metric.name}"' in reply.text


@pytest.mark.parametrize("role", LEADERS)
def test_a_forbidden_metric_is_told_to_nobody(site: Served, facts: FactSet, role: str) -> None:
    assert refused_for(by_api, site, role, FEW, facts) == []


@pytest.mark.long
@pytest.mark.parametrize("role", LEADERS)
@pytest.mark.parametrize("name", sorted(CHANNELS))
def test_a_forbidden_metric_is_told_through_no_channel(site: Served, facts: FactSet, name: str, role: str) -> None:
    assert refused_for(CHANNELS[name], site, role, METRICS, facts) == []


@pytest.mark.parametrize("name", sorted(CHANNELS))
def test_every_channel_refuses_a_few_forbidden_metrics(site: Served, facts: FactSet, name: str) -> None:
    assert refused_for(CHANNELS[name], site, "engineering_leader", FEW[:2], facts) == []


@pytest.mark.parametrize("name", sorted(CHANNELS))
def test_every_channel_answers_what_may_be_seen(site: Served, name: str) -> None:
    for role, question in (("executive", "What is MRR?"), ("engineering_leader", "How many open bugs are there?")):
        reply = CHANNELS[name](site, Reader(role, role), question, ())
        assert reply.status == "answered", reply.text


def test_the_executive_is_denied_no_metric(site: Served) -> None:
    denied = [
        m.name for m in METRICS if by_api(site, Reader("ada", "executive"), f"What is {m.label}?").status == "denied"
    ]
    assert denied == []


class TestWhoIsLimitedToAccounts:
    @pytest.fixture(scope="class")
    def accounts(self, site: Served) -> dict[str, str]:
        """Every account's name by its id."""
        with duckdb.connect(str(site.services.home.warehouse_file), read_only=True) as warehouse:
            return dict(warehouse.execute("SELECT account_id, account FROM marts.accounts").fetchall())

    @pytest.fixture(scope="class")
    def own(self, site: Served) -> str:
        """The customer with the largest revenue."""
        with duckdb.connect(str(site.services.home.warehouse_file), read_only=True) as warehouse:
            found = warehouse.execute("SELECT account_id FROM marts.accounts ORDER BY mrr DESC, account_id").fetchone()
        assert found
        return str(found[0])

    @pytest.fixture(scope="class")
    def limited(self, own: str) -> Reader:
        return Reader("lim", "executive", RowScope({"account": frozenset({own})}))

    @pytest.fixture(scope="class")
    def others(self, accounts: dict[str, str], own: str) -> set[str]:
        """The names of all accounts but its own, but for those that its own name holds."""
        return {name for key, name in accounts.items() if key != own and name not in accounts[own]}

    @pytest.mark.long
    @pytest.mark.parametrize("name", sorted(KNOWS_USERS))
    def test_no_other_accounts_name_comes_back_of_any_metric(
        self, site: Served, limited: Reader, others: set[str], name: str
    ) -> None:
        self._told_nobodys_name(site, limited, others, name, METRICS)

    @pytest.mark.parametrize("name", sorted(KNOWS_USERS))
    def test_no_other_accounts_name_comes_back(
        self, site: Served, limited: Reader, others: set[str], name: str
    ) -> None:
        self._told_nobodys_name(site, limited, others, name, FEW[:3])

    @staticmethod
    def _told_nobodys_name(
        site: Served, limited: Reader, others: set[str], name: str, metrics: Sequence[Metric]
    ) -> None:
        wrong = []
        for metric in metrics:
            for question, earlier in (*asked_about(metric), (f"Top 10 accounts by {metric.label}", ())):
                by_api(site, Reader("ada", "executive"), question, earlier)
                reply = CHANNELS[name](site, limited, question, earlier)
                named = {each for each in others if each in html.unescape(reply.text)}
                if named:
                    wrong.append(f"{question!r} after {earlier}: {sorted(named)[:3]}")
        assert wrong == []

    def test_another_account_is_not_known_by_its_name_either(
        self, site: Served, limited: Reader, others: set[str]
    ) -> None:
        chosen = sorted(others)[:15]
        for other in chosen:
            reply = by_api(site, limited, f"What is MRR of {other}?")
            assert reply.status != "answered"
            # Words that its own account has in its name are taken for that one, whosever they are.
            unheard = " ".join(["Zzyzx", *other.split()[1:]])
            nobody = by_api(site, limited, f"What is MRR of {unheard}?")
            assert reply.status == nobody.status, other

    def test_of_an_owner_of_other_accounts_nothing_is_said_and_not_that_it_is_nothing(
        self, site: Served, limited: Reader, own: str
    ) -> None:
        with duckdb.connect(str(site.services.home.warehouse_file), read_only=True) as warehouse:
            found = warehouse.execute(
                "SELECT DISTINCT owner FROM marts.deal_states WHERE owner_id IS NOT NULL AND owner_id NOT IN "
                "(SELECT owner_id FROM marts.deal_states WHERE account_id = ? AND owner_id IS NOT NULL) LIMIT 3",
                [own],
            ).fetchall()
        assert found
        for (owner,) in found:
            assert by_api(site, limited, f"Bookings of {owner} this quarter").status != "answered"

    def test_figures_are_those_of_its_own_rows(self, site: Served, limited: Reader, own: str) -> None:
        with duckdb.connect(str(site.services.home.warehouse_file), read_only=True) as warehouse:
            found = warehouse.execute(
                "SELECT count(*) FROM marts.calls WHERE account_id = ? AND started_on BETWEEN '2026-10-22' AND ?",
                [own, LAST_DAY],
            ).fetchone()
        assert found
        answer = json.loads(by_api(site, limited, "How many customer calls were there in the last 30 days?").text)
        assert answer["status"] == "answered"
        assert answer["results"][0]["number"] == found[0]

    def test_no_briefing_is_open_to_it(self, site: Served, limited: Reader, others: set[str]) -> None:
        token = site.token(limited.name, limited.role, limited.rows)
        for path in ("/api/briefings/2026-11-20", "/", "/briefings", "/briefings/2026-11-20", "/status"):
            response = site.get(path, headers={"Authorization": f"Bearer {token}"})
            assert not {name for name in others if name in html.unescape(response.text)}, path
            if "2026" in path:
                assert response.status_code in (403, 404), path


@pytest.mark.parametrize("role", ["engineering_leader", "auditor"])
@pytest.mark.parametrize("name", sorted(CHANNELS))
def test_quotes_are_for_those_who_see_customers(site: Served, name: str, role: str) -> None:
    question = "What do customers say about pricing?"
    open_to = by_api(site, Reader("ada", "executive"), question)
    quotes = {row["quote"] for row in json.loads(open_to.text)["results"]}
    assert quotes
    reply = CHANNELS[name](site, Reader(role, role), question, ())
    assert reply.status != "answered"
    assert not {quote for quote in quotes if quote in html.unescape(reply.text)}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_evidence_is_refused_for_what_may_not_be_seen(site: Served, role: str) -> None:
    models, principal = load_models(), Principal(role, role, "api")
    for metric in METRICS:
        query = f"metric={metric.name}&start=2026-11-20&end=2026-11-20&period_key=as_of"
        response = site.get(f"/api/evidence?{query}", headers=site.bearer(role, role))
        is_denied = deny_metric(principal, metric, models) is not None
        assert (response.status_code == 403) == is_denied, (metric.name, response.text[:200])


@pytest.mark.parametrize("role", LEADERS)
@pytest.mark.parametrize("edition", sorted(ROLES))
def test_editions_are_for_their_role(site: Served, role: str, edition: str) -> None:
    for path in (f"/api/briefings/{LAST_DAY}?role={edition}", f"/briefings/{LAST_DAY}?role={edition}"):
        response = site.get(path, headers=site.bearer(role, role))
        if edition != role and response.status_code == 200:
            # Whose edition it is, is decided by who asks and not by the address.
            own = site.get(path.partition("?")[0], headers=site.bearer(role, role)).text
            assert _NONCE.sub("", response.text) == _NONCE.sub("", own)
        else:
            assert response.status_code in ((200, 404) if edition == role else (403, 404, 422)), path
