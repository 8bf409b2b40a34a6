"""Counts the tokens that a vendor of language models bills, as the vendors' own tokenizers roughly do."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import orjson

_PER_MESSAGE = 3
_PER_REPLY = 3


@cache
def _encoding() -> Any:
    # Half a second of import and table: only a prompt needs it.
    import bpe_openai  # type: ignore[import-untyped]

    return bpe_openai.get_encoding("o200k_base")


async def get_ready() -> None:
    """Load the tokenizer beside the event loop, the first time."""
    if not _encoding.cache_info().currsize:
        await asyncio.to_thread(_encoding)


def count(text: str) -> int:
    """The tokens of a text in `o200k_base`; marks that are special to a model count as plain text."""
    return len(_encoding().encode_ordinary(text)) if text else 0


def pieces(text: str, tokens: int) -> list[str]:
    """The text in pieces of about that many tokens, none of which splits a character."""
    encoding = _encoding()
    encoded = encoding.encode_ordinary(text)
    found, held = [], b""
    for start in range(0, len(encoded), tokens):
        held += encoding.decode_bytes(encoded[start : start + tokens])
        try:
            found.append(held.decode())
        except UnicodeDecodeError:
            continue
        held = b""
    return [*found, held.decode("utf-8", "replace")] if held else found


def shortened(text: str, tokens: int) -> str:
    """The first that many tokens of a text."""
    encoded = _encoding().encode_ordinary(text)
    return text if len(encoded) <= tokens else _encoding().decode_bytes(encoded[:tokens]).decode("utf-8", "ignore")


class Counter:
    """Counts as one vendor does.

    `factor` is what its tokens are to those of `o200k_base`, `least` is what even an empty answer has.
    """

    def __init__(self, factor: str = "1", least: int = 0) -> None:
        self._factor = Fraction(factor)
        self._least = least

    def input(self, texts: Iterable[str], schema: Mapping[str, Any] | None) -> int:
        """The tokens of a request with these messages, the system's among them."""
        whole = _PER_REPLY + sum(_PER_MESSAGE + count(text) for text in texts)
        if schema is not None:
            whole += count(orjson.dumps(schema).decode())
        return math.ceil(whole * self._factor)

    def output(self, text: str) -> int:
        """The tokens of an answer."""
        return max(self._least, math.ceil(count(text) * self._factor))

    def as_many(self, tokens: int) -> int:
        """How many tokens of `o200k_base` that many of the vendor's are."""
        return int(tokens / self._factor)
