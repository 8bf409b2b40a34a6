"""Slack's own export, a ZIP or the folder it unpacks to, as objects of the native layout."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.exports.files import ExportFile, Row

# Lists at the top, and one folder per channel with one file per day. Direct messages are left out.
_CHANNEL_LISTS = ("channels.json", "groups.json")
_USERS = "users.json"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json")
_AGAIN = "Export it again."


def find(folder: Path) -> dict[str, ExportFile]:
    """Slack's own export in `folder` or its sub-folder `slack`, as objects of the native layout.

    Raises ConfigurationError, in one line, for a ZIP that is torn or, in `slack`, no export of Slack's.
    """
    for place, named in ((folder, False), (folder / "slack", True)):
        if (place / "channels.json").is_file():
            return _objects(_Unpacked(place, place.relative_to(folder).as_posix()))
        for path in sorted(place.glob("*.zip")):
            found = _in_zip(path, path.relative_to(folder).as_posix(), named)
            if found:
                return found
    return {}


@dataclass(frozen=True)
class _Unpacked:
    """An export as a folder: its files by the name that they have inside the export."""

    folder: Path
    name: str

    def names(self) -> list[str]:
        return [path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.json")]

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@dataclass(frozen=True)
class _Zipped:
    """An export as a ZIP; `top` is the folder inside of it in which the export lies."""

    archive: zipfile.ZipFile
    name: str
    top: str

    def names(self) -> list[str]:
        return [name.removeprefix(self.top) for name in self.archive.namelist() if name.startswith(self.top)]

    def read(self, name: str) -> bytes:
        return self.archive.read(self.top + name)


_Export = _Unpacked | _Zipped


def _in_zip(path: Path, name: str, must_be_slack: bool) -> dict[str, ExportFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            tops = [
                n.removesuffix("channels.json") for n in archive.namelist() if PurePosixPath(n).name == "channels.json"
            ]
            if tops:
                return _objects(_Zipped(archive, name, min(tops, key=len)))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise ConfigurationError(
            f"{name} cannot be read as a ZIP ({type(error).__name__})",
            remedy="Download the export again; it must be whole and without a password.",
        ) from error
    if must_be_slack:
        raise ConfigurationError(
            f"{name} is no export of Slack's: it holds no channels.json",
            remedy="Take the ZIP that Slack's Settings > Import/Export gives, or unpack it here.",
        )
    return {}


def _objects(export: _Export) -> dict[str, ExportFile]:
    names = set(export.names())
    channels: list[Row] = []
    for listed in _CHANNEL_LISTS:
        if listed in names:
            found = _list(export, listed)
            channels += [_channel_cells(row, is_private=listed != "channels.json") for row in found]
    users = [_user_cells(row) for row in _list(export, _USERS)] if _USERS in names else []
    folders = {str(row.cells.get("name")): row.cells.get("channel_id") for row in channels}
    messages = [
        _message_cells(row, folders[folder])
        for name in sorted(names)
        if (folder := PurePosixPath(name).parent.as_posix()) in folders and _DAY.fullmatch(PurePosixPath(name).name)
        for row in _list(export, name)
    ]
    return {
        "slack/channels": _file(export, "channels.json", channels),
        "slack/users": _file(export, _USERS, users),
        "slack/messages": _file(export, "messages", messages),
    }


def _file(export: _Export, name: str, rows: list[Row]) -> ExportFile:
    columns = frozenset(column for row in rows for column in row.cells)
    return ExportFile(f"{export.name}/{name}".removeprefix("./"), columns, rows)


def _list(export: _Export, name: str) -> list[Row]:
    """The objects of a file; a row's line is its place in the list, from 1."""
    file = f"{export.name}/{name}".removeprefix("./")
    try:
        found = json.loads(export.read(name).decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not UTF-8 text", remedy=_AGAIN) from error
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{file} is not JSON: {error.msg}", remedy=_AGAIN) from error
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ConfigurationError(f"{file} is not a list of objects", remedy=_AGAIN)
    return [Row(file, place, item) for place, item in enumerate(found, start=1)]


def _channel_cells(row: Row, *, is_private: bool) -> Row:
    given = row.cells
    if not given.get("id") or not given.get("name"):
        raise ConfigurationError(f"{row.file}, line {row.line} is a channel without id and name", remedy=_AGAIN)
    cells = {
        "channel_id": given.get("id"),
        "name": given.get("name"),
        "topic": _nested(given, "topic", "value"),
        "purpose": _nested(given, "purpose", "value"),
        "is_private": is_private,
        "is_archived": given.get("is_archived"),
        "is_shared": given.get("is_shared"),
        "member_ids": given.get("members"),
        "creator_id": given.get("creator"),
        "created_at": _epoch(given.get("created")),
    }
    return Row(row.file, row.line, {name: value for name, value in cells.items() if value is not None})


def _user_cells(row: Row) -> Row:
    given = row.cells
    cells = {
        "user_id": given.get("id"),
        "name": given.get("name"),
        "real_name": _nested(given, "profile", "real_name") or given.get("real_name"),
        "display_name": _nested(given, "profile", "display_name"),
        "email": _nested(given, "profile", "email"),
        "title": _nested(given, "profile", "title"),
        "is_bot": given.get("is_bot"),
        "is_deleted": given.get("deleted"),
        "timezone": given.get("tz"),
        "updated_at": _epoch(given.get("updated")),
    }
    return Row(row.file, row.line, {name: value for name, value in cells.items() if value is not None})


def _message_cells(row: Row, channel_id: Any) -> Row:
    given = row.cells
    cells = {
        "channel_id": channel_id,
        "ts": given.get("ts"),
        "thread_ts": given.get("thread_ts"),
        "user_id": given.get("user"),
        "bot_id": given.get("bot_id"),
        "subtype": given.get("subtype"),
        "text": given.get("text"),
        "edited_at": _epoch(_nested(given, "edited", "ts")),
        "reactions": given.get("reactions"),
    }
    return Row(row.file, row.line, {name: value for name, value in cells.items() if value is not None})


def _nested(given: Mapping[str, Any], name: str, inner: str) -> Any:
    found = given.get(name)
    return found.get(inner) if isinstance(found, Mapping) else None


def _epoch(seconds: Any) -> str | None:
    """Seconds since 1970, as a number or text, as ISO 8601; None for what is none."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return None
