"""One web process for all tests of this folder that do not change how it is set up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sophia_assets.home import Home
from sophia_assets_tests.finished_home import copied_home
from sophia_assets_tests.web.serving import Echoing, Served, folder_for, served


@pytest.fixture(scope="session")
def web_home(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with everything in it that the web process may write into."""
    return copied_home(finished_home, folder_for(tmp_path_factory, "web"))


@pytest.fixture(scope="session")
def echoing() -> Echoing:
    """What stands in for the assistant in `site`."""
    return Echoing()


@pytest.fixture(scope="session")
def site(web_home: Home, echoing: Echoing) -> Iterator[Served]:
    """The process, with an assistant that answers with the question, and without limits that many tests would meet."""
    settings = {"SOPHIA_WEB_LOGINS_PER_MINUTE": "100000", "SOPHIA_COMPANY_NAME": "Northwind Cloud"}
    with served(web_home, settings, assistant=echoing) as running:
        yield running
