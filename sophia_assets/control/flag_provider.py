"""OpenFeature's provider over the control store: each evaluation reads the store once, so that nothing is ever old.

OpenFeature is imported here alone, and this module only where a flag is evaluated.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata
from sqlalchemy import select

from sophia_assets.control.flag_names import declared_flags
from sophia_assets.control.schema import flags
from sophia_assets.control.store import ControlStore

_registering = threading.Lock()
_providers: dict[str, ControlStoreProvider] = {}


class ControlStoreProvider(AbstractProvider):
    """Evaluates the declared flags: switches as booleans, rollouts as whole numbers of percent."""

    def __init__(self, store: ControlStore) -> None:
        super().__init__()
        self.store = store

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata(name="sophia control store")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """A switch. Raises ControlStoreUnavailable, which the client turns into an evaluation error."""
        return self._resolve(flag_key, bool)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """A rollout's percentage. Raises as for a switch."""
        return self._resolve(flag_key, int)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """There are no flags of text."""
        raise TypeMismatchError(f"{flag_key} is no text")

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """There are no flags of fractions."""
        raise TypeMismatchError(f"{flag_key} is no fraction")

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """There are no flags of objects."""
        raise TypeMismatchError(f"{flag_key} is no object")

    def _resolve(self, name: str, kind: type[Any]) -> FlagResolutionDetails[Any]:
        flag = declared_flags().get(name)
        if flag is None:
            raise FlagNotFoundError(f"there is no flag {name}")
        if type(flag.default) is not kind:
            raise TypeMismatchError(f"{name} is {'a percentage' if flag.is_percentage else 'a switch'}")
        with self.store.reading() as connection:
            held = connection.execute(select(flags.c.value).where(flags.c.name == name)).scalar()
        if held is None:
            return FlagResolutionDetails(flag.default, reason=Reason.DEFAULT)
        return FlagResolutionDetails(flag.parse(held), reason=Reason.STATIC, variant=held)


def client_over(store: ControlStore) -> OpenFeatureClient:
    """A client that evaluates over `store`, in an OpenFeature domain of that store's own.

    OpenFeature forgets no domain, so that a store opened again takes the place of the one before.
    """
    domain = f"sophia {store.place}"
    with _registering:
        if domain in _providers:
            _providers[domain].store = store
        else:
            _providers[domain] = ControlStoreProvider(store)
            api.set_provider_and_wait(_providers[domain], domain)
    return api.get_client(domain)
