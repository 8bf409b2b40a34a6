"""One request with slack_sdk, once. Kept apart so that the SDK is only imported when something is asked."""

from __future__ import annotations

import http.client
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from requests.structures import CaseInsensitiveDict
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web import SlackResponse

from sophia_assets.errors import ConnectionFailed
from sophia_assets.ingestion.requesting import Answer, NoAnswer
from sophia_assets.ingestion.retrying import RetryPolicy

_PIECE_BYTES = 1 << 16
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# How the SDK begins its own message about an answer that is not JSON.
_NOT_JSON = "Received a response in a non-JSON format"

# The SDK's own log lines quote answers.
_silent = logging.getLogger(f"{__name__}.sdk")
_silent.setLevel(logging.CRITICAL + 1)
_silent.propagate = False


class SlackWire(WebClient):
    """slack_sdk's client without its retries and redirects. Thread-safe."""

    def __init__(self, base_url: str, token: str, retry: RetryPolicy) -> None:
        super().__init__(token=token, base_url=base_url, retry_handlers=[], logger=_silent)
        self._retry = retry
        self._now = threading.local()
        # A loopback address is never reached through a company's proxy.
        direct = [ProxyHandler({})] if urlsplit(base_url).hostname in _LOOPBACK else []
        self._opener: OpenerDirector = build_opener(_NoRedirects, *direct)

    def send(self, method: str, params: Mapping[str, Any], seconds: float) -> Answer:
        """Asks once. Raises NoAnswer where trying again may help, ConnectionFailed where the address is none."""
        return self._once(method, seconds, params=dict(params))

    def send_json(self, method: str, body: Mapping[str, Any], seconds: float) -> Answer:
        """As `send`, with a body that a form cannot hold."""
        return self._once(method, seconds, json=dict(body))

    def _once(self, method: str, seconds: float, **arguments: Any) -> Answer:
        self._now.until = time.monotonic() + seconds
        try:
            return _answer(self.api_call(method, **arguments))
        except SlackApiError as error:
            return _answer(error.response)
        except _NotAnObject:
            return Answer(200, torn=True)
        except (URLError, http.client.HTTPException, OSError) as error:
            if isinstance(error, http.client.InvalidURL):
                raise self._no_address(error) from error
            raise NoAnswer(_what_happened(error)) from error
        except UnicodeError as error:
            raise NoAnswer("answered with bytes that are no text") from error
        except (SlackRequestError, ValueError) as error:
            raise self._no_address(error) from error

    def _no_address(self, error: Exception) -> ConnectionFailed:
        return ConnectionFailed(
            f"{self.base_url!r} cannot be asked ({type(error).__name__})",
            remedy="Set SLACK_BASE_URL to a URL such as https://slack.com/api/",
            system="slack",
        )

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        """The SDK's own single try, with this client's opener and time limit."""
        if not url.lower().startswith("http"):
            raise SlackRequestError("not an HTTP address")
        timeout = min(self._retry.read_timeout, max(self._now.until - time.monotonic(), 0.001))
        with self._opener.open(req, timeout=timeout) as response:
            pieces = []
            while piece := response.read1(_PIECE_BYTES):
                pieces.append(piece)
                if time.monotonic() > self._now.until:
                    raise TimeoutError
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
            body = b"".join(pieces).decode("utf-8", "replace")
            if not body.lstrip().startswith("{"):
                raise _NotAnObject
            return {"status": response.status, "headers": response.headers, "body": body}


class _NotAnObject(Exception):
    """An answer that is no JSON object, which the SDK has no use for."""


class _NoRedirects(HTTPRedirectHandler):
    """Takes a redirect for an answer: the token goes to nobody else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _answer(response: SlackResponse) -> Answer:
    body = response.data
    torn = not isinstance(body, dict) or str(body.get("error", "")).startswith(_NOT_JSON)
    return Answer(response.status_code, CaseInsensitiveDict(response.headers), None if torn else body, torn=torn)


def _what_happened(error: Exception) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return "did not answer in time"
    cut = isinstance(reason, (http.client.HTTPException, ConnectionResetError, BrokenPipeError))
    return "cut the connection" if cut else "cannot be reached"
