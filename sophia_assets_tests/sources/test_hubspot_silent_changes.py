"""Whatever happens in HubSpot between two loads, noticed there as a modification or not, the warehouse agrees after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from sophia_assets.ingestion.ingest import ingest_group
from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import START, make_deal, served, small_company, small_hubspot
from sophia_assets_tests.sources.complete_company import IMPATIENT, contents
from sophia_assets_tests.sources.unlimited import Unlimited

_COMPANIES, _PEOPLE = ["100", "101", "102"], [str(900 + number) for number in range(9)]


class _Crm:
    """Deals that live through random events; only some of the events move a deal's modification time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = START + timedelta(days=20)
        self.deals = {str(5_000 + number): make_deal(number, START + timedelta(days=5)) for number in range(1, 160)}
        self.links: set[tuple[str, str]] = set()
        self._events: list[Callable[[str], None]] = [
            self._modify, self._modify, self._archive, self._restore, self._delete, self._move, self._link,
            self._unlink, self._create,
        ]  # fmt: skip

    def live_for_a_while(self) -> None:
        for _ in range(self.random.randint(5, 25)):
            self.now += timedelta(milliseconds=self.random.choice([0, 0, 1, 500, 3_600_000]))
            live = [deal.id for deal in self.deals.values() if not deal.archived]
            self.random.choice(self._events)(self.random.choice(live))
        self.now += timedelta(seconds=1)

    def company(self) -> CompanyData:
        links = [("deals", deal, "contacts", person) for deal, person in sorted(self._live_links())]
        data = small_hubspot(0)
        served_data = replace(data, objects={**data.objects, "deals": list(self.deals.values())}, links=links)
        return small_company(hubspot=served_data, gong=None, snowflake=None)

    def truth(self) -> dict[str, set[tuple[object, ...]]]:
        live = [deal for deal in self.deals.values() if not deal.archived]
        return {
            "hubspot.deals": {(deal.id, deal.properties["dealname"]) for deal in live},
            "hubspot.deal_companies": {(d.id, other) for d in live for other in d.associations.get("companies", [])},
            "hubspot.deal_associations": {(deal, "contacts", person) for deal, person in self._live_links()},
        }

    def _live_links(self) -> set[tuple[str, str]]:
        return {(d, p) for d, p in self.links if d in self.deals and not self.deals[d].archived}

    def _modify(self, deal: str) -> None:
        properties = {**self.deals[deal].properties, "dealname": f"Renamed {self.random.random()}"}
        self.deals[deal] = replace(self.deals[deal], properties=properties, updated_at=self.now)

    def _archive(self, deal: str) -> None:
        self.deals[deal] = replace(self.deals[deal], archived=True, archived_at=self.now)

    def _restore(self, _: str) -> None:
        archived = [deal.id for deal in self.deals.values() if deal.archived]
        if archived:
            back = self.random.choice(archived)
            self.deals[back] = replace(self.deals[back], archived=False, archived_at=None)

    def _delete(self, deal: str) -> None:
        del self.deals[deal]

    def _move(self, deal: str) -> None:
        companies = self.random.sample(_COMPANIES, self.random.randint(0, 3))
        self.deals[deal] = replace(self.deals[deal], associations={"companies": companies})

    def _link(self, deal: str) -> None:
        self.links.add((deal, self.random.choice(_PEOPLE)))

    def _unlink(self, _: str) -> None:
        if self.links:
            self.links.discard(self.random.choice(sorted(self.links)))

    def _create(self, _: str) -> None:
        number = max(map(int, self.deals)) - 5_000 + 1
        self.deals[str(5_000 + number)] = make_deal(number, self.now)


@pytest.mark.parametrize("seed", [1, 2])
def test_after_each_load_the_warehouse_holds_what_hubspot_holds(seed: int, warehouse: DuckDBWarehouse) -> None:
    crm = _Crm(seed)
    loaded_until = None
    with served(crm.company(), wait_for="listening", limits=False) as running:
        running.app.faults.add(f"hubspot:pages:{seed}")
        source = registry.create_source_from_settings("hubspot", running.env, retry=IMPATIENT, limiters=Unlimited())
        for load in range(4):
            crm.live_for_a_while()
            running.app.standins["hubspot"].load(crm.company())
            window = Window(loaded_until - timedelta(days=1) if loaded_until else None, crm.now)
            ingest_group(source, "deals", window, warehouse, run_id=str(load))
            loaded_until = crm.now

            held = {
                "hubspot.deals": {(row["deal_id"], row["name"]) for row in contents(warehouse, "hubspot.deals")},
                "hubspot.deal_companies": {
                    (row["deal_id"], row["company_id"]) for row in contents(warehouse, "hubspot.deal_companies")
                },
                "hubspot.deal_associations": {
                    (row["deal_id"], row["to_type"], row["to_id"])
                    for row in contents(warehouse, "hubspot.deal_associations")
                },
            }
            assert held == crm.truth()


def test_a_day_that_is_read_again_brings_back_nothing_of_what_was_archived_since(warehouse: DuckDBWarehouse) -> None:
    crm, day = _Crm(1), timedelta(days=1)
    before = Window(crm.now - day, crm.now)
    first, *_ = crm.deals
    crm.links.add((first, _PEOPLE[0]))
    crm.deals[first] = replace(crm.deals[first], archived=True, archived_at=crm.now + day)
    with served(crm.company(), wait_for="listening", limits=False) as running:
        source = registry.create_source_from_settings("hubspot", running.env, retry=IMPATIENT, limiters=Unlimited())
        ingest_group(source, "deals", Window(None, crm.now + 2 * day), warehouse, run_id="all")
        held = {table: contents(warehouse, table) for table in ("hubspot.deals", "hubspot.deal_companies")}
        ingest_group(source, "deals", before, warehouse, run_id="a day before")

    assert {table: contents(warehouse, table) for table in held} == held
    assert first not in {row["deal_id"] for row in held["hubspot.deal_companies"]}
