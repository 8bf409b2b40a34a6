"""A Slack workspace from files: the native layout, and Slack's own export as a ZIP or unpacked."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import SlackData
from sophia_assets.sandbox.exports import load_exports
from sophia_assets_tests.sandbox.small_company import served
from sophia_assets_tests.sources.complete_company import EVERYTHING, source_for

POSTED = 1767261600  # 2026-01-01 10:00 UTC
CHANNEL = {
    "id": "C0GENERAL", "name": "general", "created": POSTED - 86400, "creator": "U1UNA", "is_archived": False,
    "members": ["U1UNA", "U2IDA"], "topic": {"value": "All there is"}, "purpose": {"value": "Talk"},
}  # fmt: skip
PROFILE = {"real_name": "Una Seller", "display_name": "una", "email": "una@sandbox.example", "title": "Seller"}
USER = {"id": "U1UNA", "name": "una", "deleted": False, "tz": "Europe/Berlin", "profile": PROFILE, "updated": POSTED}
PARENT = {
    "type": "message", "user": "U1UNA", "text": "Hello <@U2IDA>", "ts": f"{POSTED}.000100",
    "thread_ts": f"{POSTED}.000100", "reply_count": 1, "edited": {"user": "U1UNA", "ts": f"{POSTED + 5}.000000"},
    "reactions": [{"name": "tada", "users": ["U2IDA"], "count": 1}],
}  # fmt: skip
REPLY = {"type": "message", "user": "U2IDA", "text": "Hi", "ts": f"{POSTED + 9}.000200", "thread_ts": PARENT["ts"]}
EXPORT: dict[str, Any] = {
    "channels.json": [CHANNEL],
    "groups.json": [{**CHANNEL, "id": "G1DEALS", "name": "deals"}],
    "users.json": [USER],
    "dms.json": [{"id": "D1", "members": ["U1UNA"]}],
    "integration_logs.json": [],
    "general/2026-01-01.json": [PARENT, REPLY],
    "general/canvas_in_the_conversation.json": [],
    "deals/2026-01-02.json": [{"type": "message", "user": "U1UNA", "text": "Won", "ts": f"{POSTED + 86400}.000000"}],
    "D1/2026-01-02.json": [{"type": "message", "user": "U1UNA", "text": "secret", "ts": f"{POSTED}.000000"}],
}


def zipped(path: Path, files: dict[str, Any] = EXPORT, top: str = "") -> Path:
    """Slack's ZIP with these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(top + name, content if isinstance(content, str) else json.dumps(content))
    return path


def unpacked(folder: Path) -> None:
    for name, content in EXPORT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def slack(folder: Path) -> SlackData:
    found = load_exports(folder, timezone="UTC").slack
    assert found
    return found


@pytest.mark.parametrize("way", ["zip", "zip in slack", "zip with a folder in it", "unpacked", "unpacked in slack"])
def test_slacks_own_export_is_found_and_read(tmp_path: Path, way: str) -> None:
    match way:
        case "zip":
            zipped(tmp_path / "Small Slack export.zip")
        case "zip in slack":
            zipped(tmp_path / "slack" / "export.zip")
        case "zip with a folder in it":
            zipped(tmp_path / "export.zip", top="Small Slack export/")
        case "unpacked":
            unpacked(tmp_path)
        case _:
            unpacked(tmp_path / "slack")

    found = slack(tmp_path)
    assert [(c.id, c.name, c.is_private, len(c.messages)) for c in found.channels] == [
        ("C0GENERAL", "general", False, 2),
        ("G1DEALS", "deals", True, 1),
    ]
    general, parent, reply = found.channels[0], *found.channels[0].messages
    assert (general.topic, general.member_ids, general.created.day) == ("All there is", ["U1UNA", "U2IDA"], 31)
    assert (parent.ts, parent.edited_ts, parent.reactions) == (
        PARENT["ts"],
        f"{POSTED + 5}.000000",
        {"tada": ["U2IDA"]},
    )
    assert (reply.thread_ts, reply.user_id, reply.text) == (PARENT["ts"], "U2IDA", "Hi")
    [una] = found.users
    assert (una.email, una.timezone, una.updated) == (
        "una@sandbox.example", "Europe/Berlin", datetime(2026, 1, 1, 10, tzinfo=UTC),
    )  # fmt: skip


def test_the_history_spans_the_messages(tmp_path: Path) -> None:
    zipped(tmp_path / "export.zip")
    found = load_exports(tmp_path, timezone="UTC")
    assert (found.first_day, found.last_day) == (date(2026, 1, 1), date(2026, 1, 2))


def test_the_native_layout_is_read_and_served_through_the_connector(tmp_path: Path) -> None:
    (tmp_path / "slack").mkdir()
    (tmp_path / "slack/channels.csv").write_text("channel_id,name,member_ids,is_member\nC1,sales,U1 U2,yes\n", "utf-8")
    (tmp_path / "slack/users.csv").write_text("user_id,name,is_bot\nU1,una,no\n", "utf-8")
    lines = [
        {"channel_id": "C1", "ts": 1767261600.0001, "user_id": "U1", "text": "Hello", "reactions": {"tada": ["U2"]}},
        {"channel_id": "C1", "ts": "1767261700", "thread_ts": "1767261600.0001", "edited_at": "2026-01-02T09:00:00Z"},
        {"channel_id": "C2", "ts": "1767261800.000001"},
    ]
    (tmp_path / "slack/messages.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    company = load_exports(tmp_path, timezone="UTC")
    with served(company, wait_for="listening", limits=False) as running:
        items = list(source_for("slack", running.env).read("messages", EVERYTHING))

    rows = {row["ts"]: row for item in items for row in getattr(item, "rows", ())}
    assert rows.keys() == {"1767261600.000100", "1767261700.000000", "1767261800.000001"}
    assert (rows["1767261600.000100"]["reply_count"], rows["1767261600.000100"]["reactions"]) == (1, 1)
    assert (rows["1767261700.000000"]["is_reply"], rows["1767261800.000001"]["channel_id"]) == (True, "C2")


def test_a_foreign_zip_beside_other_exports_is_left_alone(tmp_path: Path) -> None:
    zipped(tmp_path / "other.zip", {"readme.txt": "hello"})
    (tmp_path / "slack").mkdir()
    (tmp_path / "slack/messages.csv").write_text("channel_id,ts,text\nC1,1767261600.000100,Hello\n", "utf-8")
    assert [channel.id for channel in slack(tmp_path).channels] == ["C1"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-60])


def spoil(path: Path) -> None:
    """Damages what is inside of the ZIP, not its list of contents."""
    content = bytearray(path.read_bytes())
    content[60:90] = b"\0" * 30
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"readme.txt": "hello"}, r"slack/export.zip is no export of Slack's"),
        (EXPORT | {"users.json": "{broken"}, r"slack/export.zip/users.json is not JSON"),
        (EXPORT | {"users.json": {}}, r"slack/export.zip/users.json is not a list of objects"),
        (EXPORT | {"general/2026-01-01.json": [PARENT, "hi"]}, r"general/2026-01-01.json is not a list of objects"),
        (EXPORT | {"general/2026-01-01.json": [{"text": "x"}]}, r"general/2026-01-01.json, line 1: ts is empty"),
        (EXPORT | {"general/2026-01-01.json": [{"ts": "soon"}]}, r"line 1, column ts: 'soon' is no id of a message"),
        (
            EXPORT | {"channels.json": [{"name": "general"}]},
            r"slack/export.zip/channels.json, line 1 is a channel without id",
        ),
    ],
)
def test_a_zip_that_is_not_as_slack_makes_them_is_refused_in_one_line(
    tmp_path: Path, files: dict[str, Any], told: str
) -> None:
    zipped(tmp_path / "slack" / "export.zip", files)
    with pytest.raises(ConfigurationError, match=told) as refused:
        load_exports(tmp_path, timezone="UTC")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("damage", [cut, spoil])
def test_a_torn_zip_is_refused_in_one_line(tmp_path: Path, damage: Any) -> None:
    damage(zipped(tmp_path / "export.zip"))
    with pytest.raises(ConfigurationError, match=r"export\.zip cannot be read as a ZIP.*Download") as refused:
        load_exports(tmp_path, timezone="UTC")
    assert "\n" not in str(refused.value)
