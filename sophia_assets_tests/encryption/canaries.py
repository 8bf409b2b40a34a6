"""Looks for texts in all files of a folder, however they may be written there."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType

#: What begins a file whose content may be compressed, so that a grep finds nothing in it.
_OPEN_FORMATS = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip"}


def forms(text: str) -> set[bytes]:
    """The text in UTF-8 and UTF-16, in hex, in JSON's ASCII, and in base64 wherever it may begin in a longer one."""
    raw = text.encode()
    found = {raw, text.encode("utf-16-le"), text.encode("utf-16-be"), raw.hex().encode(), raw.hex().upper().encode()}
    found.add(json.dumps(text)[1:-1].encode())
    for shift in range(3):
        # The characters at both ends depend on what is beside the text.
        coded = base64.b64encode(b"\0" * shift + raw)
        whole = coded[(0, 2, 3)[shift] : len(coded) - (4 if coded.endswith(b"=") else 0)]
        found |= {whole, whole.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def leaks(folder: Path, canaries: Collection[str]) -> dict[str, list[str]]:
    """The files, relative to `folder`, that hold a canary, or are of a form that could hide one; with which."""
    wanted = {form: text for text in canaries for form in forms(text)}
    found: dict[str, list[str]] = {}
    for path in sorted(_files(folder)):
        try:
            content = path.read_bytes()
        except OSError:  # removed meanwhile
            continue
        told = sorted(set(_leaks_of(path, content, wanted)))
        if told:
            found[str(path.relative_to(folder))] = told
    return found


def _files(folder: Path) -> Iterator[Path]:
    """All files; folders that are removed meanwhile are passed over."""
    return (Path(place) / name for place, _, names in os.walk(folder) for name in names)


def _leaks_of(path: Path, content: bytes, wanted: Mapping[bytes, str]) -> Iterator[str]:
    yield from (text for form, text in wanted.items() if form in content)
    yield from (f"is {name}" for magic, name in _OPEN_FORMATS.items() if content.startswith(magic))
    if content[8:12] == b"DUCK" and not content[20] & 1:
        yield "is a plain DuckDB file"
    if b"\xff\xff\xff\xff" in content[:4] and path.suffix == ".arrows":
        yield "is an Arrow stream"
    if content.startswith(b"SQLite format 3"):
        yield from (text for blob in _inflated(path) for form, text in wanted.items() if form in blob)


def _inflated(path: Path) -> Iterator[bytes]:
    """What is compressed in a SQLite file's cells."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                for row in connection.execute(f'SELECT * FROM "{name}"'):
                    for cell in row:
                        if isinstance(cell, bytes):
                            try:
                                yield zlib.decompress(cell)
                            except zlib.error:
                                continue
    except sqlite3.Error:
        return


class Watch:
    """Looks again and again while a block runs, at what has changed: also at files that live for a moment only.

    It looks for the texts as they are: whoever watches must not hold up what is watched.
    """

    def __init__(self, folder: Path, canaries: Collection[str]) -> None:
        self._folder = folder
        self._canaries = {text.encode(): text for text in canaries}
        self._looked_at: dict[Path, tuple[int, int]] = {}
        self.found: dict[str, list[str]] = {}
        self.looks = 0
        self.seen: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            for path in _files(self._folder):
                try:
                    found = path.stat()
                    state = (found.st_mtime_ns, found.st_size)
                    if self._looked_at.get(path) == state:
                        continue
                    content = path.read_bytes()
                except OSError:  # removed meanwhile
                    continue
                self._looked_at[path] = state
                self.seen.add(path.name)
                told = [text for form, text in self._canaries.items() if form in content]
                if told:
                    self.found[path.name] = told
            self.looks += 1
