"""What is sealed opens only as it was sealed: whole, for its place, with its key."""

from __future__ import annotations

import base64
import pickle
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sophia_assets.encryption import streams
from sophia_assets.encryption.frames import open_frame, seal_frame
from sophia_assets.encryption.vault import MARK, PLAIN, TEXT_MARK, SealingVault, is_sealed
from sophia_assets.errors import EncryptionError

ONE, OTHER = bytes(range(32)), bytes(range(1, 33))
VAULT = SealingVault([ONE])


@given(st.binary(max_size=2_000), st.text(max_size=40))
@example(b"", "")
def test_what_is_sealed_opens_for_its_place(content: bytes, context: str) -> None:
    sealed = VAULT.seal(content, context)
    assert is_sealed(sealed)
    assert VAULT.open(sealed, context) == content
    assert len(content) < 8 or content not in sealed


@given(st.text(max_size=500), st.text(max_size=40))
@example("\ud800 a lone surrogate", "control/x")
def test_texts_come_back_as_they_were(text: str, context: str) -> None:
    sealed = VAULT.seal_text(text, context)
    assert sealed.isascii()
    assert sealed.isprintable()
    assert VAULT.open_text(sealed, context) == text


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_changed_byte_is_found(content: bytes, data: st.DataObject) -> None:
    sealed = bytearray(VAULT.seal(content, "facts/2026-11-20.parquet"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EncryptionError):
        VAULT.open(bytes(sealed), "facts/2026-11-20.parquet")


@given(st.binary(max_size=100), st.data())
def test_what_is_cut_off_or_longer_does_not_open(content: bytes, data: st.DataObject) -> None:
    sealed = VAULT.seal(content, "x")
    with pytest.raises(EncryptionError):
        VAULT.open(sealed[: data.draw(st.integers(0, len(sealed) - 1))], "x")
    with pytest.raises(EncryptionError):
        VAULT.open(sealed + data.draw(st.binary(min_size=1, max_size=20)), "x")


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_was_sealed_for_one_place_does_not_open_in_another(place: str, other: str) -> None:
    if place != other:
        with pytest.raises(EncryptionError):
            VAULT.open(VAULT.seal(b"figures", place), other)


@given(st.text(min_size=1, max_size=60), st.data())
def test_any_changed_character_of_a_sealed_text_is_found(text: str, data: st.DataObject) -> None:
    sealed = VAULT.seal_text(text, "audit.question")
    place = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:place] + data.draw(st.characters().filter(lambda c: c != sealed[place])) + sealed[place + 1 :]
    with pytest.raises(EncryptionError):
        VAULT.open_text(changed, "audit.question")


def test_another_version_of_the_form_does_not_open() -> None:
    sealed = VAULT.seal(b"figures", "x")
    with pytest.raises(EncryptionError, match="not sealed"):
        VAULT.open(MARK[:-1] + b"\x02" + sealed[len(MARK) :], "x")


def test_the_same_content_is_sealed_differently_each_time() -> None:
    assert len({VAULT.seal(b"figures", "x") for _ in range(200)}) == 200


def test_what_an_older_key_sealed_opens_and_is_not_current() -> None:
    both = SealingVault([OTHER, ONE])
    sealed, text = VAULT.seal(b"figures", "x"), VAULT.seal_text("figures", "x")
    assert both.open(sealed, "x") == b"figures"
    assert not both.is_current(sealed)
    assert not both.is_current_text(text)
    assert both.is_current(both.seal(b"", "x"))
    assert both.is_current_text(both.seal_text("", "x"))


def test_a_key_that_is_not_set_is_named_by_its_id_and_what_to_do_is_said() -> None:
    with pytest.raises(EncryptionError, match="SOPHIA_ENCRYPTION_OLD_KEYS") as told:
        SealingVault([OTHER]).open(VAULT.seal(b"figures", "x"), "x")
    assert VAULT.key_id in str(told.value)


def test_what_is_plain_is_refused_unless_a_change_is_under_way() -> None:
    with pytest.raises(EncryptionError, match="facts/a is not sealed"):
        VAULT.open(b"PAR1", "facts/a")
    with pytest.raises(EncryptionError):
        VAULT.open_text("words", "facts/a")
    changing = SealingVault([ONE], reads_plain=True)
    assert changing.open(b"PAR1", "facts/a") == b"PAR1"
    assert changing.open_text("words", "facts/a") == "words"


def test_without_a_key_plain_content_passes_and_sealed_content_says_what_is_missing() -> None:
    assert PLAIN.open(PLAIN.seal(b"x", "a"), "a") == b"x"
    assert PLAIN.open_text(PLAIN.seal_text("x", "a"), "a") == "x"
    with pytest.raises(EncryptionError, match="SOPHIA_ENCRYPTION_KEY"):
        PLAIN.open(VAULT.seal(b"x", "a"), "a")
    with pytest.raises(EncryptionError, match="SOPHIA_ENCRYPTION_KEY"):
        PLAIN.open_text(VAULT.seal_text("x", "a"), "a")


def test_each_purpose_has_a_key_of_its_own_and_none_is_the_one_that_is_set() -> None:
    ring = VAULT.keys
    derived = [ring.derived(ring.current_id, purpose) for purpose in ("facts", "briefings", "warehouse")]
    assert len({ONE, *derived}) == 4
    assert base64.b64decode(ring.warehouse_keys()[0]) == derived[2]


def test_no_key_is_shown_or_pickled() -> None:
    told = f"{VAULT!r} {VAULT.keys!r} {VAULT} {vars(VAULT)}"
    assert ONE.hex() not in told
    assert repr(ONE)[2:20] not in told
    with pytest.raises(TypeError):
        pickle.dumps(VAULT)


@given(parts=st.lists(st.binary(max_size=5_000), max_size=12), flushed=st.sets(st.integers(0, 11)))
def test_a_stream_reads_as_it_was_written(
    parts: list[bytes], flushed: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("stream") / "rows.0.arrows"
    with streams.create(VAULT, path, "staging/a/rows.0") as file:
        for number, part in enumerate(parts):
            file.write(part)
            if number in flushed:
                file.flush()
                assert streams.size_of(file) == path.stat().st_size
        assert file.tell() == sum(map(len, parts))
    with streams.read(VAULT, path, "staging/a/rows.0") as file:
        assert file.read() == b"".join(parts)


@given(data=st.data())
def test_any_changed_byte_of_a_stream_is_found(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = written(tmp_path_factory.mktemp("stream"))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(EncryptionError), streams.read(VAULT, path, "staging/a") as file:
        file.read()


def test_a_stream_that_is_cut_at_a_flush_reads_up_to_there_and_elsewhere_does_not(tmp_path: Path) -> None:
    with streams.create(VAULT, tmp_path / "a", "staging/a") as file:
        file.write(b"first")
        length = streams.size_of(file)
        file.write(b"second")
    whole = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(whole[:length])
    with streams.read(VAULT, tmp_path / "a", "staging/a") as file:
        assert file.read() == b"first"
    for cut in (length - 1, length + 1, length + 3, length + 10):
        (tmp_path / "a").write_bytes(whole[:cut])
        with pytest.raises(EncryptionError), streams.read(VAULT, tmp_path / "a", "staging/a") as file:
            file.read()


def test_frames_of_a_stream_cannot_change_places_or_files(tmp_path: Path) -> None:
    path = written(tmp_path)
    other = written(tmp_path, "b")
    content = path.read_bytes()
    head, first, second = content[:32], content[32:60], content[60:]
    assert len(first) == len(second)
    for changed in (head + second + first, head + second, head + first + first, other.read_bytes()[:32] + content[32:]):
        path.write_bytes(changed)
        with pytest.raises(EncryptionError), streams.read(VAULT, path, "staging/a") as file:
            file.read()
    with pytest.raises(EncryptionError), streams.read(VAULT, other, "staging/elsewhere") as file:
        file.read()


def written(folder: Path, name: str = "a") -> Path:
    """A stream of two frames of the same length."""
    with streams.create(VAULT, folder / name, "staging/a") as file:
        for part in (b"one of 2", b"two of 2"):
            file.write(part)
            file.flush()
    return folder / name


def test_without_a_key_a_stream_is_a_plain_file_and_a_sealed_one_says_so(tmp_path: Path) -> None:
    with streams.create(PLAIN, tmp_path / "plain", "x") as file:
        file.write(b"figures")
        assert streams.size_of(file) == 7
    assert (tmp_path / "plain").read_bytes() == b"figures"
    with pytest.raises(EncryptionError, match="SOPHIA_ENCRYPTION_KEY"):
        streams.read(PLAIN, written(tmp_path), "x")


def test_a_frame_opens_with_its_key_alone(tmp_path: Path) -> None:
    file = tmp_path / "hubspot.deals.arrow"
    key = seal_frame(file, b"ARROW1 figures")
    assert b"figures" not in file.read_bytes()
    assert open_frame(file, key) == b"ARROW1 figures"
    assert seal_frame(tmp_path / "other", b"") != key


def test_sealed_text_is_marked_with_its_version() -> None:
    assert VAULT.seal_text("x", "y").startswith(TEXT_MARK)
