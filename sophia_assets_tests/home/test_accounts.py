"""A read that was cut short is gone on with in the same account, and never with another's credential."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sophia_assets.errors import ConnectionFailed
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets_tests.ingestion.paged_source import WINDOW, PagedOwners

CUT = ConnectionFailed("cut off")
LIVE = {"SOPHIA_HUBSPOT_MODE": "live", "HUBSPOT_BASE_URL": "http://one.example", "HUBSPOT_ACCESS_TOKEN": "secret"}


def load(home: Path, source: PagedOwners, monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """One load in a process of its own, as far as services go; a sandbox has a new address each time."""
    monkeypatch.setattr(registry, "create_source_from_settings", lambda *_, **__: source)
    services = Services(
        load_settings({"SOPHIA_HOME": str(home), **settings}),
        Home(home),
        sandbox_env={"HUBSPOT_BASE_URL": f"http://127.0.0.1:{id(source) % 60_000}", "HUBSPOT_ACCESS_TOKEN": "sandbox"},
    )
    try:
        services.ingest("hubspot", "owners", WINDOW, "run")
    finally:
        services.close()


@pytest.mark.parametrize(
    ("before", "after", "goes_on"),
    [
        ({}, {}, True),
        (LIVE, LIVE, True),
        (LIVE, LIVE | {"HUBSPOT_ACCESS_TOKEN": "another"}, False),
        (LIVE, LIVE | {"HUBSPOT_BASE_URL": "http://two.example"}, False),
        ({}, LIVE, False),
    ],
    ids=["sandbox started anew", "same account", "another credential", "another address", "live after the sandbox"],
)
def test_a_read_is_gone_on_with_in_the_same_account_only(
    before: dict[str, str],
    after: dict[str, str],
    goes_on: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.record_company(CompanyIdentity("simulated", seed=1))
    owners = PagedOwners(tmp_path / "asked")
    with pytest.raises(ConnectionFailed):
        load(home.path, replace(owners, broken_at=17, error=CUT), monkeypatch, **before)
    left = [file.read_text() for file in home.path.rglob("manifest.json")]
    load(home.path, owners, monkeypatch, **after)

    assert (owners.pages_asked()[17] > 0) == goes_on
    assert len(left) == 1 and "secret" not in left[0]
