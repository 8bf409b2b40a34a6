"""Tampering with an audit trail at random, as somebody would who can write every file and table but has no key.

`python -m sophia_assets_tests.access.tampering --count 1000` tries so many, and fails where one is not found.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from sophia_assets.access.audit_archives import archive
from sophia_assets.access.audit_checkpoints import SERIES, WITNESS
from sophia_assets_tests.access.trails import KEY, Trail

_FIELDS = ("at", "actor", "role", "channel", "action", "target", "outcome", "details", "key_id", "mac")
_NUMBERS = ("seq", "start_seq", "checkpoints", "witnessed")
_CODES = ("mac", "root", "start_mac", "start_root", "checkpoint_digest", "seal", "chain", "key_id")
_ARCHIVED, _KEPT = 60, 140


@dataclass(frozen=True)
class Attack:
    """What an attacker has before it: the folder of the trail, an earlier copy of it, another store of the same key."""

    folder: Path
    earlier: Path
    other: Path
    random: random.Random

    def sql(self, *statements: str, store: Path | None = None) -> list[tuple[object, ...]]:
        """Runs statements on the store; gives the rows of the last one."""
        connection = sqlite3.connect((store or self.folder) / "control.db")
        try:
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            connection.commit()
            return rows
        finally:
            connection.close()

    def number(self, *, before_last: int = 0) -> int:
        """A number of an entry that the store keeps."""
        first, last = self.sql("SELECT MIN(seq), MAX(seq) FROM audit")[0]
        assert isinstance(first, int) and isinstance(last, int)
        return self.random.randint(first, last - before_last)

    @property
    def chain(self) -> Path:
        """The folder of what bears witness."""
        return next(path for path in (self.folder / "audit").iterdir() if path.is_dir())

    def lines(self, change: Callable[[list[bytes]], object], name: str = SERIES) -> None:
        """Changes the lines of a file beside the trail."""
        path = self.chain / name
        lines = path.read_bytes().splitlines(keepends=True)
        change(lines)
        path.write_bytes(b"".join(lines))


def _edit_entry(attack: Attack) -> None:
    field, seq = attack.random.choice(_FIELDS), attack.number()
    (old,) = attack.sql(f"SELECT {field} FROM audit WHERE seq = {seq}")[0]
    place = attack.random.randrange(len(str(old)) or 1)
    new = f"{str(old)[:place]}{'x' if str(old)[place : place + 1] != 'x' else 'y'}{str(old)[place + 1 :]}"
    attack.sql(f"UPDATE audit SET {field} = '{new.replace(chr(39), '')}' WHERE seq = {seq}")


def _turn_denied_to_allowed(attack: Attack) -> None:
    attack.sql(f"UPDATE audit SET outcome = 'failed' WHERE seq >= {attack.number()}")


def _delete_entries(attack: Attack) -> None:
    first = attack.number()
    attack.sql(f"DELETE FROM audit WHERE seq BETWEEN {first} AND {first + attack.random.randint(0, 5)}")


def _delete_and_renumber(attack: Attack) -> None:
    seq = attack.number(before_last=1)
    attack.sql(
        f"DELETE FROM audit WHERE seq = {seq}",
        f"UPDATE audit SET seq = -(seq - 1) WHERE seq > {seq}",
        "UPDATE audit SET seq = -seq WHERE seq < 0",
        "UPDATE audit_head SET seq = seq - 1",
    )


def _reorder(attack: Attack) -> None:
    one = attack.number(before_last=1)
    other = attack.random.choice([one + 1, attack.number()])
    if one == other:
        other = one + 1
    attack.sql(
        f"UPDATE audit SET seq = -1 WHERE seq = {one}",
        f"UPDATE audit SET seq = {one} WHERE seq = {other}",
        f"UPDATE audit SET seq = {other} WHERE seq = -1",
    )


def _insert(attack: Attack) -> None:
    source, place = attack.number(), attack.number()
    columns = ", ".join(_FIELDS)
    attack.sql(
        f"UPDATE audit SET seq = -(seq + 1) WHERE seq >= {place}",
        "UPDATE audit SET seq = -seq WHERE seq < 0",
        f"INSERT INTO audit (seq, {columns}) SELECT {place}, {columns} FROM audit "
        f"WHERE seq = {source + (source >= place)}",
        "UPDATE audit_head SET seq = seq + 1",
    )


def _append(attack: Attack) -> None:
    columns = ", ".join(_FIELDS)
    gap = attack.random.choice([1, 1, 7])
    attack.sql(
        f"INSERT INTO audit (seq, {columns}) SELECT (SELECT MAX(seq) + {gap} FROM audit), {columns} FROM audit "
        f"WHERE seq = {attack.number()}"
    )


def _put_before_the_first(attack: Attack) -> None:
    columns, seq = ", ".join(_FIELDS), attack.random.choice(["0", "-3", "'x'", "1"])
    attack.sql(f"INSERT INTO audit (seq, {columns}) SELECT {seq}, {columns} FROM audit WHERE seq = {attack.number()}")


def _truncate(attack: Attack) -> None:
    attack.sql(f"DELETE FROM audit WHERE seq > {attack.number(before_last=1)}")


def _truncate_with_head(attack: Attack) -> None:
    attack.sql(
        f"DELETE FROM audit WHERE seq > {attack.number(before_last=1)}",
        "UPDATE audit_head SET seq = (SELECT MAX(seq) FROM audit), "
        "mac = (SELECT mac FROM audit ORDER BY seq DESC LIMIT 1)",
    )


def _truncate_to_an_earlier_head(attack: Attack) -> None:
    values = attack.sql("SELECT * FROM audit_head", store=attack.earlier)[0]
    connection = sqlite3.connect(attack.folder / "control.db")
    connection.execute("DELETE FROM audit_head")
    connection.execute(f"INSERT INTO audit_head VALUES ({', '.join('?' * len(values))})", values)
    connection.execute("DELETE FROM audit WHERE seq > (SELECT seq FROM audit_head)")
    connection.commit()
    connection.close()


def _put_store_back(attack: Attack) -> None:
    shutil.copy(attack.earlier / "control.db", attack.folder / "control.db")


def _empty_store(attack: Attack) -> None:
    attack.sql("DELETE FROM audit", "DELETE FROM audit_head")


def _empty_entries(attack: Attack) -> None:
    attack.sql("DELETE FROM audit")


def _delete_head(attack: Attack) -> None:
    attack.sql("DELETE FROM audit_head")


def _edit_head(attack: Attack) -> None:
    if attack.random.random() < 0.5:
        by = attack.random.choice([-1, 1, 5])
        attack.sql(
            f"UPDATE audit_head SET {attack.random.choice(_NUMBERS)} = {attack.random.choice(_NUMBERS)} + {by} + 9"
        )
    else:
        attack.sql(f"UPDATE audit_head SET {attack.random.choice(_CODES)} = '{attack.random.randbytes(32).hex()}'")


def _another_head(attack: Attack) -> None:
    values = attack.sql("SELECT * FROM audit_head", store=attack.other)[0]
    connection = sqlite3.connect(attack.folder / "control.db")
    connection.execute("DELETE FROM audit_head")
    connection.execute(f"INSERT INTO audit_head VALUES ({', '.join('?' * len(values))})", values)
    connection.commit()
    connection.close()


def _another_store(attack: Attack) -> None:
    shutil.copy(attack.other / "control.db", attack.folder / "control.db")


def _checkpoints_gone(attack: Attack) -> None:
    (attack.chain / SERIES).unlink()


def _witness_gone(attack: Attack) -> None:
    (attack.chain / WITNESS).unlink()


def _folder_gone(attack: Attack) -> None:
    shutil.rmtree(attack.chain)


def _checkpoint_deleted(attack: Attack) -> None:
    attack.lines(lambda lines: lines.pop(attack.random.randrange(len(lines))))


def _checkpoints_cut(attack: Attack) -> None:
    def cut(lines: list[bytes]) -> None:
        del lines[attack.random.randrange(len(lines)) :]

    attack.lines(cut)


def _checkpoint_edited(attack: Attack) -> None:
    def edit(lines: list[bytes]) -> None:
        place = attack.random.randrange(len(lines))
        told = json.loads(lines[place])
        field = attack.random.choice(sorted(told))
        told[field] = told[field] + 1 if isinstance(told[field], int) else told[field][::-1] + "0"
        lines[place] = json.dumps(told).encode() + b"\n"

    attack.lines(edit, attack.random.choice([SERIES, WITNESS]))


def _checkpoint_torn(attack: Attack) -> None:
    name = attack.random.choice([SERIES, WITNESS])
    path = attack.chain / name
    content = path.read_bytes()
    path.write_bytes(content[: attack.random.randrange(len(content) - 1)])


def _checkpoints_reordered(attack: Attack) -> None:
    def reorder(lines: list[bytes]) -> None:
        place = attack.random.randrange(len(lines) - 1)
        lines[place], lines[place + 1] = lines[place + 1], lines[place]

    attack.lines(reorder)


def _checkpoint_repeated(attack: Attack) -> None:
    attack.lines(lambda lines: lines.insert(attack.random.randrange(len(lines)), attack.random.choice(lines)))


def _checkpoints_of_another(attack: Attack) -> None:
    other = next(path for path in (attack.other / "audit").iterdir() if path.is_dir())
    name = attack.random.choice([SERIES, WITNESS])
    shutil.copy(other / name, attack.chain / name)


def _archive_changed(attack: Attack) -> None:
    def change(lines: list[bytes]) -> None:
        place = attack.random.randrange(len(lines) - 1)
        kind = attack.random.choice(["edit", "delete", "swap", "cut", "insert", "garbage"])
        if kind == "edit":
            row = json.loads(lines[place])
            row[6] += "0"
            lines[place] = json.dumps(row).encode() + b"\n"
        elif kind == "delete":
            del lines[place]
        elif kind == "swap":
            lines[place], lines[place + 1] = lines[place + 1], lines[place]
        elif kind == "cut":
            del lines[place + 1 :]
        elif kind == "insert":
            lines.insert(place, attack.random.choice(lines))
        else:
            lines[place] = b"?\n"

    attack.lines(change, next(attack.chain.glob("archive-*")).name)


def _archive_gone(attack: Attack) -> None:
    next(attack.chain.glob("archive-*")).unlink()


KINDS: dict[str, Callable[[Attack], None]] = {
    name.removeprefix("_").replace("_", " "): kind
    for name, kind in list(globals().items())
    if name.startswith("_") and callable(kind) and getattr(kind, "__module__", "") == __name__
}


@dataclass(frozen=True)
class Targets:
    """A trail that is whole, a copy of an hour ago, and another store that was signed with the same key."""

    now: Path
    earlier: Path
    other: Path


def make_targets(folder: Path) -> Targets:
    """Makes them; the trail has an archive, checkpoints, and newer entries than its newest checkpoint."""
    targets = Targets(folder / "now", folder / "earlier", folder / "other")
    for place in (targets.now, targets.other):
        place.mkdir(parents=True)
        trail = Trail(place, key=KEY, every=25)
        trail.fill(_ARCHIVED)
        archive(trail.store, trail.chain, datetime.now(UTC) + timedelta(days=1), "ada", "old")
        trail.fill(_KEPT)
        trail.close()
        if place == targets.now:
            shutil.copytree(place, targets.earlier)
            trail = Trail(place, key=KEY, every=25)
            trail.fill(12)
            trail.store.chain = None  # it is killed: no checkpoint at its end
            trail.close()
    return targets


def try_one(targets: Targets, seed: int, kind: str) -> bool:
    """Whether one random tampering of a kind is found."""
    with tempfile.TemporaryDirectory(dir=targets.now.parent) as name:
        folder = Path(name) / "trail"
        shutil.copytree(targets.now, folder)
        KINDS[kind](Attack(folder, targets.earlier, targets.other, random.Random(seed)))
        return not Trail(folder, key=KEY).verify().is_whole


@click.command()
@click.option("--count", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def main(count: int, seed: int) -> None:
    """Tampers so many times, and tells of each kind how many were found."""
    began, tried, missed = time.perf_counter(), Counter[str](), []
    with tempfile.TemporaryDirectory(prefix="sophia-tampering-") as name:
        targets = make_targets(Path(name))
        assert Trail(targets.now, key=KEY).verify().is_whole
        for number in range(count):
            kind = list(KINDS)[number % len(KINDS)]
            tried[kind] += 1
            if not try_one(targets, seed + number, kind):
                missed.append((kind, seed + number))
    for kind, times in sorted(tried.items()):
        click.echo(f"{kind:<32} {times - sum(name == kind for name, _ in missed):>4} of {times} found")
    click.echo(f"{count - len(missed)} of {count} found, {time.perf_counter() - began:.1f} s")
    for kind, number in missed:
        click.echo(f"missed: {kind}, seed {number}", err=True)
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
