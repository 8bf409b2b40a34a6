"""Every operation of the API with whatever its description allows and does not allow: it answers as described."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, negative_data_rejection, positive_data_acceptance
from schemathesis.schemas import BaseSchema

from sophia_assets_tests.web.serving import Served

load_all_checks()
OPERATIONS = [
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/api/chat"),
    ("POST", "/api/chat/stream"),
    ("GET", "/api/briefings"),
    ("GET", "/api/briefings/{day}"),
    ("GET", "/api/metrics"),
    ("GET", "/api/status"),
    ("GET", "/api/usage"),
    ("GET", "/api/evidence"),
]
# What fits the description may still name a metric or a day that there is not.
_NOT_MEANT = [positive_data_acceptance]


@pytest.fixture(scope="session")
def described(site: Served) -> BaseSchema:
    """The API as it describes itself."""
    return schemathesis.openapi.from_url(f"{site.address}/openapi.json")


def test_all_operations_are_tried_here(described: BaseSchema) -> None:
    found = [(method.upper(), path) for path in described for method in described[path]]
    assert sorted(found) == sorted(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_answers_as_it_is_described(
    described: BaseSchema, site: Served, method: str, path: str
) -> None:
    _try(described, site, method, path, times=10)


@pytest.mark.long
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_answers_as_it_is_described_many_times(
    described: BaseSchema, site: Served, method: str, path: str
) -> None:
    _try(described, site, method, path, times=150)


def _try(described: BaseSchema, site: Served, method: str, path: str, times: int) -> None:
    """So many requests that the description allows or forbids, with a login, one in five without."""
    operation = described[path][method]
    cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in GenerationMode])
    is_open = not path.startswith("/api/")

    @settings(
        max_examples=times,
        deadline=None,
        derandomize=times < 100,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, has_login=st.sampled_from([True, True, True, True, is_open]))
    def answers(case: Any, has_login: bool) -> None:
        case.cookies.clear()
        case.headers.pop("Authorization", None)
        if has_login:
            answer = case.call(headers=site.bearer())
            # An address that is too long is refused before anybody looks at what is in it.
            too_long = [negative_data_rejection] if answer.status_code == 414 else []
            case.validate_response(answer, excluded_checks=[*_NOT_MEANT, *too_long])
            return
        bare = requests.request(**case.as_transport_kwargs(base_url=site.address), timeout=30)
        assert bare.status_code >= 400 or is_open

    answers()
