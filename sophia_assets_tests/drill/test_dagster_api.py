"""What Dagster's webserver does not answer becomes one line."""

from __future__ import annotations

import pytest
from pytest_httpserver import HTTPServer

from sophia_assets.drill.dagster_api import DagsterApi, DagsterError


def api_answering(server: HTTPServer, **answer: object) -> DagsterApi:
    """A webserver that answers every question with `answer`."""
    server.expect_request("/graphql", method="POST").respond_with_json(answer)
    return DagsterApi(server.url_for("").rstrip("/"))


def test_a_webserver_that_is_not_there_is_told_with_its_address() -> None:
    with pytest.raises(DagsterError, match=r"at http://127\.0\.0\.1:9 does not answer"):
        DagsterApi("http://127.0.0.1:9").runs("ingest_gong")


def test_something_else_at_the_address_is_no_webserver(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/graphql").respond_with_data("<html>", content_type="text/html")
    with pytest.raises(DagsterError, match="does not answer"):
        DagsterApi(httpserver.url_for("").rstrip("/")).runs("ingest_gong")


def test_a_question_that_is_refused_says_why(httpserver: HTTPServer) -> None:
    api = api_answering(httpserver, errors=[{"message": "Unknown argument"}])
    with pytest.raises(DagsterError, match="Unknown argument"):
        api.sensors()


def test_a_job_that_cannot_be_launched_says_why(httpserver: HTTPServer) -> None:
    api = api_answering(httpserver, data={"launchRun": {"__typename": "PythonError", "message": "no such\n job"}})
    with pytest.raises(DagsterError, match=r"gives no LaunchRunSuccess \(no such job\)"):
        api.launch("daily_breifing")


def test_definitions_that_do_not_load_are_told_and_not_waited_for(httpserver: HTTPServer) -> None:
    broken = {"__typename": "PythonError", "message": "SyntaxError: invalid syntax"}
    api = api_answering(httpserver, data={"workspaceLocationEntryOrError": {"locationOrLoadError": broken}})
    with pytest.raises(DagsterError, match=r"cannot load the definitions \(SyntaxError"):
        api.is_loaded()


def test_a_webserver_that_is_still_starting_is_waited_for() -> None:
    assert not DagsterApi("http://127.0.0.1:9").is_loaded()
