"""Which keys are taken, what is said where key and home do not fit, and that a key shows nowhere."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.encryption.state import FILE, opened_vault, state_of
from sophia_assets.encryption.vault import PLAIN, SealingVault
from sophia_assets.errors import ConfigurationError, EncryptionError
from sophia_assets.home import Home
from sophia_assets.settings import load_settings
from sophia_assets.settings.encryption import EncryptionSettings, read_encryption
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse

KEY = bytes(range(7, 39))
BASE64, HEX = base64.b64encode(KEY).decode(), KEY.hex()


@pytest.mark.parametrize(
    "text",
    [BASE64, BASE64.rstrip("="), base64.urlsafe_b64encode(KEY).decode(), HEX, HEX.upper(), f" {BASE64}\n"],
    ids=["base64", "without padding", "for URLs", "hex", "hex in capitals", "with blanks"],
)
def test_a_key_is_read_in_base64_and_hex(text: str) -> None:
    assert read_encryption({"SOPHIA_ENCRYPTION_KEY": text}).keys == (KEY,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("secret-word", "no key in base64 or hex|holds 8 bytes"),
        (base64.b64encode(KEY[:16]).decode(), "holds 16 bytes instead of 32"),
        (KEY[:16].hex(), "holds 24 bytes instead of 32"),
        ((KEY * 2).hex(), "holds 64 bytes instead of 32"),
        (bytes(32).hex(), "one byte over and over"),
        ("ключ" * 11, "no key in base64 or hex"),
    ],
)
def test_what_is_no_key_is_refused_without_being_repeated(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as refused:
        read_encryption({"SOPHIA_ENCRYPTION_KEY": text})
    assert text not in str(refused.value)
    assert "openssl rand" in str(refused.value)


def test_a_key_file_is_read_and_what_is_wrong_with_it_said(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{HEX}\n")
    assert read_encryption({"SOPHIA_ENCRYPTION_KEY_FILE": str(file)}).keys == (KEY,)
    for setting, told in ((str(tmp_path / "none"), "cannot be read"), ("key", "not an absolute path")):
        with pytest.raises(ConfigurationError, match=told):
            read_encryption({"SOPHIA_ENCRYPTION_KEY_FILE": setting})
    with pytest.raises(ConfigurationError, match="both set"):
        read_encryption({"SOPHIA_ENCRYPTION_KEY_FILE": str(file), "SOPHIA_ENCRYPTION_KEY": HEX})


def test_old_keys_come_behind_the_current_one_and_never_alone() -> None:
    old = bytes(range(40, 72)).hex()
    settings = {"SOPHIA_ENCRYPTION_KEY": HEX, "SOPHIA_ENCRYPTION_OLD_KEYS": f"{old}, {BASE64}"}
    assert read_encryption(settings).keys == (KEY, bytes.fromhex(old))
    with pytest.raises(ConfigurationError, match="but no key is"):
        read_encryption({"SOPHIA_ENCRYPTION_OLD_KEYS": old})
    with pytest.raises(ConfigurationError, match="SOPHIA_ENCRYPTION_KEYS is set, which is no setting"):
        read_encryption({"SOPHIA_ENCRYPTION_KEYS": old})


def test_no_setting_shows_the_key() -> None:
    settings = load_settings({"SOPHIA_ENCRYPTION_KEY": HEX})
    assert settings.encryption.is_on
    assert HEX not in repr(settings)
    assert repr(KEY)[2:12] not in repr(settings)
    assert not read_encryption({}).is_on


@pytest.mark.parametrize("missing", ["cryptography", "duckdb_extension_httpfs"])
def test_a_missing_extra_says_how_to_install_it(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: Any = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == missing else found(name, *rest)
    )
    with pytest.raises(EncryptionError, match=r"Install sophia-assets\[encryption\]"):
        opened_vault(EncryptionSettings((KEY,)), Home(tmp_path))


def test_a_new_home_is_encrypted_from_its_first_file_on(tmp_path: Path) -> None:
    home, settings = Home(tmp_path), EncryptionSettings((KEY,))
    vault = opened_vault(settings, home)
    assert list(tmp_path.iterdir()) == []
    vault.seal(b"", "facts/x")
    assert state_of(settings, home) == "encrypted"
    assert HEX not in (tmp_path / FILE).read_text()
    assert opened_vault(EncryptionSettings(), Home(tmp_path / "another")) is PLAIN


def test_key_and_home_that_do_not_fit_are_told_apart(tmp_path: Path) -> None:
    home, settings = Home(tmp_path), EncryptionSettings((KEY,))
    opened_vault(settings, home).seal(b"", "facts/x")
    with pytest.raises(EncryptionError, match="is encrypted, and no key is set"):
        opened_vault(EncryptionSettings(), home)
    with pytest.raises(EncryptionError, match="not with the key that is set"):
        opened_vault(EncryptionSettings((bytes(range(32)),)), home)
    plain = Home(tmp_path / "plain")
    (plain.path / "facts").mkdir(parents=True)
    (plain.path / "facts" / "2026-11-20.parquet").touch()
    with pytest.raises(EncryptionError, match="sophia encryption encrypt"):
        opened_vault(settings, plain)


@pytest.mark.parametrize("state", ["encrypting", "decrypting", "plain", "nonsense"])
def test_nobody_without_the_key_makes_plain_files_welcome(state: str, tmp_path: Path) -> None:
    home, settings = Home(tmp_path), EncryptionSettings((KEY,))
    opened_vault(settings, home).seal(b"", "facts/x")
    forged = json.loads((tmp_path / FILE).read_text()) | {"state": state}
    (tmp_path / FILE).write_text(json.dumps(forged))
    assert not opened_vault(settings, home).reads_plain
    foreign = SealingVault([bytes(range(32))]).seal_text(state, "state/encryption.json")
    for seal in (state, foreign, ""):
        (tmp_path / FILE).write_text(json.dumps(forged | {"seal": seal}))
        with pytest.raises(EncryptionError):
            opened_vault(settings, home)


def test_a_warehouse_and_a_key_that_do_not_fit_are_told_apart(tmp_path: Path) -> None:
    ours, other = SealingVault([KEY]), SealingVault([bytes(range(32))])
    DuckDBWarehouse(tmp_path / "plain.duckdb", tables=()).close()
    DuckDBWarehouse(tmp_path / "sealed.duckdb", tables=(), vault=ours).close()
    with pytest.raises(EncryptionError, match="is not encrypted, and a key is set"):
        DuckDBWarehouse(tmp_path / "plain.duckdb", tables=(), vault=ours)
    with pytest.raises(EncryptionError, match="is encrypted, and no key is set"):
        DuckDBWarehouse(tmp_path / "sealed.duckdb", tables=())
    with pytest.raises(EncryptionError, match="with another key"):
        DuckDBWarehouse(tmp_path / "sealed.duckdb", tables=(), vault=other)
    DuckDBWarehouse(tmp_path / "sealed.duckdb", tables=(), vault=SealingVault([bytes(range(32)), KEY]))


def test_no_error_of_duckdb_repeats_the_key(tmp_path: Path) -> None:
    vault = SealingVault([KEY])
    warehouse = DuckDBWarehouse(tmp_path / "sealed.duckdb", tables=(), vault=vault)
    (tmp_path / "sealed.duckdb").write_bytes((tmp_path / "sealed.duckdb").read_bytes()[:4096] + bytes(8192))
    with pytest.raises(Exception, match=r".") as told:
        warehouse.query("SELECT * FROM nowhere")
    chain = ""
    error: BaseException | None = told.value
    while error is not None:
        chain, error = chain + repr(error) + str(error), error.__cause__ or error.__context__
    for secret in (HEX, BASE64, *vault.keys.warehouse_keys()):
        assert secret not in chain


def test_the_command_line_says_in_one_line_what_does_not_fit_and_never_the_key(tmp_path: Path) -> None:
    opened_vault(EncryptionSettings((KEY,)), Home(tmp_path)).seal(b"", "facts/x")
    for given in ("", bytes(range(32)).hex(), KEY[:20].hex()):
        environment = {**os.environ, "SOPHIA_HOME": str(tmp_path), "SOPHIA_ENCRYPTION_KEY": given}
        command = [sys.executable, "-m", "sophia_assets.cli", "briefing", "show"]
        ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ended.returncode in (2, 10)
        assert ended.stdout == ""
        assert len(ended.stderr.splitlines()) == 1
        assert not given or given not in ended.stderr
