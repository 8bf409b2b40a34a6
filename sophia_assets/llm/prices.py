"""What calls cost: vendors' list prices, which came with a library and are never fetched.

Belongs here: from tokens to US dollars, the dearest that a call can become included. Does not belong here: what may be
spent (`budget`), what was (`usage`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from functools import cache
from typing import TYPE_CHECKING

from sophia_assets.llm.interface import Tokens
from sophia_assets.llm.tokens import SANDBOX_SUFFIX
from sophia_assets.settings.llm import Price
from sophia_assets.telemetry.logs import get_logger

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot

NANOS = 1_000_000_000
"""So many nano-dollars are a dollar: money is kept in whole ones, which hold every list price per token."""
_A_MILLION = 1_000_000
# For a vendor of whom the list knows nothing at all.
_DEAREST_OF_ALL = Price(Decimal(150), Decimal(600))
_MOST_TOKENS = 2**31 - 1

_log = get_logger(__name__)


class Prices:
    """What a provider's models cost. `of_unknown` has a price per provider for models without a list price.

    A model of the sandbox costs what the one without `-sandbox` would. A model that has neither a list price nor one
    of these counts as the dearest of its vendor, with one warning.
    """

    def __init__(self, of_unknown: Mapping[str, Price] | None = None) -> None:
        self._of_unknown = dict(of_unknown or {})
        self._told: set[tuple[str, str]] = set()

    def cost(self, provider: str, model: str, tokens: Tokens) -> Decimal:
        """US dollars, rounded up to a whole nano-dollar; what the vendor cannot mean counts as 0 tokens or as all."""
        given, written = _whole(tokens.input), _whole(tokens.output)
        cached = min(_whole(tokens.cached_input), given)
        name = model.removesuffix(SANDBOX_SUFFIX)
        found = _list_price(provider, name, given, written, cached)
        if found is None:
            found = _at(self._price_of_unknown(provider, name), given, written)
        return _rounded_up(found)

    def worst_cost(self, provider: str, model: str, input_estimate: int, max_output: int) -> Decimal:
        """The most that a call can cost: nothing read from the vendor's cache, and every token written that may be."""
        return self.cost(provider, model, Tokens(input=input_estimate, output=max_output))

    def is_known(self, provider: str, model: str) -> bool:
        """Whether the model has a list price."""
        return _list_price(provider, model.removesuffix(SANDBOX_SUFFIX), 1, 1, 0) is not None

    def _price_of_unknown(self, provider: str, model: str) -> Price:
        own = self._of_unknown.get(provider)
        price = own or dearest(provider)
        if own is None and (provider, model) not in self._told:
            self._told.add((provider, model))
            _log.warning(
                "no price is known of %s's model %r: its calls count as those of the dearest, $%s and $%s per million "
                "tokens in and out; set SOPHIA_%s_PRICE=input,output to what it costs",
                *(provider, model[:100], price.input, price.output, provider.upper()),
            )
        return price


def is_sandbox_model(model: str) -> bool:
    """Whether a model is one of the sandbox's, whose money is simulated."""
    return model.endswith(SANDBOX_SUFFIX)


def nanos(amount: Decimal) -> int:
    """Whole nano-dollars, rounded up."""
    return int((amount * NANOS).to_integral_value(ROUND_CEILING))


def dollars(amount: int) -> Decimal:
    """US dollars from nano-dollars, exactly."""
    return Decimal(amount).scaleb(-9)


def shown(amount: Decimal) -> str:
    """Money as people read it: `$12.40`, `$0.0312`, `$0.00`."""
    if amount == 0 or amount >= 1:
        return f"${amount:,.2f}"
    return f"${max(amount, Decimal('0.0001')):.4f}"


@cache
def dearest(provider: str) -> Price:
    """The highest price in, and the highest out, of all models of a vendor that are billed by the token."""
    try:
        found = _snapshot().find_provider(None, provider, None)
    except LookupError:
        return _DEAREST_OF_ALL
    prices = [
        Price(given * _A_MILLION, written * _A_MILLION)
        for model in found.models
        if (given := _list_price(provider, model.id, 1, 0, 0)) is not None
        and (written := _list_price(provider, model.id, 0, 1, 0)) is not None
    ]
    if not prices:
        return _DEAREST_OF_ALL
    return Price(max(price.input for price in prices), max(price.output for price in prices))


def _list_price(provider: str, model: str, given: int, written: int, cached: int) -> Decimal | None:
    """What the list says, or None: it does not know the model, or not by the token."""
    from genai_prices import Usage

    try:
        found = _snapshot().calc(
            Usage(input_tokens=given, output_tokens=written, cache_read_tokens=cached), model, provider, None, None
        )
    except (LookupError, ValueError):
        return None
    by_token = found.model_price.input_mtok, found.model_price.output_mtok
    is_free = found.total_price <= 0 < given + written
    return None if None in by_token or is_free else found.total_price


def _snapshot() -> DataSnapshot:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def _at(price: Price, given: int, written: int) -> Decimal:
    return (price.input * given + price.output * written) / _A_MILLION


def _rounded_up(amount: Decimal) -> Decimal:
    return dollars(nanos(amount))


def _whole(tokens: int) -> int:
    return min(max(int(tokens), 0), _MOST_TOKENS)
