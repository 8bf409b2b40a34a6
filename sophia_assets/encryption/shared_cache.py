"""Values in the cache that all processes share, sealed: Redis may write them to a disk of its own."""

from __future__ import annotations

from collections import Counter

from sophia_assets.control.cache import SharedCache
from sophia_assets.encryption.vault import Vault
from sophia_assets.errors import EncryptionError


def sealed_cache(shared: SharedCache, vault: Vault) -> SharedCache:
    """The cache with sealed values; as it is where encryption is off."""
    return SealedCache(shared, vault) if vault.is_on else shared


class SealedCache:
    """A `SharedCache` whose values are sealed for their key. What does not open is not there."""

    def __init__(self, shared: SharedCache, vault: Vault) -> None:
        self._shared, self._vault = shared, vault

    def get(self, digest: str) -> tuple[bytes, float] | None:
        """See `SharedCache.get`."""
        found = self._shared.get(digest)
        if found is None:
            return None
        try:
            return self._vault.open(found[0], f"cache/{digest}"), found[1]
        except EncryptionError:
            return None

    def put(self, digest: str, value: bytes, seconds: float) -> None:
        """See `SharedCache.put`."""
        self._shared.put(digest, self._vault.seal(value, f"cache/{digest}"), seconds)

    def count(self, numbers: Counter[str]) -> None:
        """See `SharedCache.count`."""
        self._shared.count(numbers)

    def counted(self) -> Counter[str]:
        """See `SharedCache.counted`."""
        return self._shared.counted()

    def close(self) -> None:
        """See `SharedCache.close`."""
        self._shared.close()
