"""What leaves a process in another way than as a file of the home: frames, shared values, uploads, Dagster's events."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from sophia_assets.encryption.shared_cache import sealed_cache
from sophia_assets.encryption.vault import PLAIN, SealingVault
from sophia_assets.orchestration.withheld import without_content
from sophia_assets.quality import worker
from sophia_assets.quality.client import Suite
from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse import snowflake_staging
from sophia_assets.warehouse.spool import Spool
from sophia_assets_tests.encryption.canaries import leaks
from sophia_assets_tests.warehouse.small_source import ITEMS

VAULT = SealingVault([bytes(range(32))])
TEXT = "Zephyrquartz Holdings"


class Shared:
    """A shared cache that anybody may look into."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def get(self, digest: str) -> tuple[bytes, float] | None:
        return (self.values[digest], 9.0) if digest in self.values else None

    def put(self, digest: str, value: bytes, seconds: float) -> None:
        self.values[digest] = value

    def count(self, numbers: Counter[str]) -> None:
        raise AssertionError

    def counted(self) -> Counter[str]:
        return Counter()

    def close(self) -> None:
        raise AssertionError


def test_values_in_a_shared_cache_are_sealed_for_their_key() -> None:
    shared = Shared()
    cache = sealed_cache(shared, VAULT)
    cache.put("one", TEXT.encode(), 9.0)
    assert TEXT.encode() not in shared.values["one"]
    assert cache.get("one") == (TEXT.encode(), 9.0)
    shared.values["two"] = shared.values["one"]
    shared.values["three"] = b"put there by somebody else"
    assert cache.get("two") is cache.get("three") is cache.get("four") is None
    assert sealed_cache(shared, PLAIN) is shared


def test_the_validation_worker_is_handed_a_sealed_frame_with_its_key(tmp_path: Path) -> None:
    rows = pa.table({"name": [TEXT] * 3})
    suite = Suite.written(tmp_path, "hubspot.deals", rows, [], is_sealed=True)
    assert leaks(tmp_path, [TEXT]) == {}
    request = suite.as_json()
    assert request["key"] not in repr(suite)
    with worker._opened(request["file"], bytes.fromhex(request["key"])) as source:
        assert pa.ipc.open_file(source).read_all() == rows
    plain = Suite.written(tmp_path, "hubspot.deals", rows, []).as_json()
    with worker._opened(plain["file"], bytes.fromhex(plain["key"])) as source:
        assert pa.ipc.open_file(source).read_all() == rows


@pytest.mark.parametrize("is_sealed", [True, False])
def test_an_upload_of_a_sealed_stage_lies_on_no_disk(is_sealed: bool, tmp_path: Path) -> None:
    vault = VAULT if is_sealed else PLAIN
    stage = tmp_path / "stage"
    stage.mkdir()
    (stage / "upload").mkdir()
    spool = Spool(stage, "items.rows", pa.schema([("item_id", pa.string()), ("name", pa.string())]), vault)
    spool.append([[str(number) for number in range(10)], [TEXT] * 10])
    sent: list[bytes] = []
    session = Session(sent)
    upload = snowflake_staging.Upload(session, stage, is_sealed=is_sealed)  # type: ignore[arg-type]
    assert upload._filled(_table(), spool)
    spool.close()
    assert [content[:4] for content in sent] == ([b"PAR1"] if is_sealed else [])
    assert (leaks(stage, [TEXT]) == {}) == is_sealed


def _table() -> Table:
    return ITEMS


class Session:
    """A session of Snowflake that takes every row."""

    def __init__(self, sent: list[bytes]) -> None:
        self._sent = sent

    def execute(self, query: str, *_: Any) -> Any:
        return SimpleNamespace(arrow=lambda: pa.table({"rows_loaded": [10]}))

    def put(self, files: Path, stage: str) -> None:
        """Files, as they are."""

    def put_content(self, content: Any, name: str, stage: str) -> None:
        self._sent.append(content.read())


def test_dagster_is_told_counts_and_where_the_rest_is() -> None:
    told = {"rows": 3, "preview": f"| {TEXT} |"}
    assert without_content(PLAIN, told, "preview", instead="") == told
    withheld = without_content(VAULT, told, "preview", "not there", instead="`sophia briefing show` prints it.")
    assert withheld["rows"] == 3
    assert TEXT not in withheld["preview"]
    assert "sophia briefing show" in withheld["preview"]
    assert set(withheld) == set(told)
