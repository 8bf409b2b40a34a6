"""HTTP with JSON answers, on `requests` and `orjson`: what most vendors' APIs are asked with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
import urllib3
from requests.adapters import HTTPAdapter

from sophia_assets.errors import ConnectionFailed
from sophia_assets.ingestion.limiter import RateLimiter
from sophia_assets.ingestion.requesting import Answer, ApiProfile, NoAnswer, Requester

_PIECE_BYTES = 1 << 16


class HttpTransport:
    """JSON requests to one vendor. Thread-safe; `requests_made` counts every try.

    `authorization` is the value of the Authorization header, scheme included where the vendor has one;
    `headers` go with every request.
    """

    def __init__(
        self,
        profile: ApiProfile,
        limiter: RateLimiter,
        *,
        authorization: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.profile = profile
        self._requester = Requester(profile, limiter)
        self._session = requests.Session()
        self._session.auth = _HeaderAuth(authorization)
        self._session.headers.update({"Accept": "application/json", "User-Agent": "sophia-assets", **(headers or {})})
        # A loopback address is never reached through a company's proxy.
        self._session.trust_env = urlsplit(profile.base_url).hostname not in ("127.0.0.1", "localhost", "::1")
        adapter = HTTPAdapter(pool_connections=2, pool_maxsize=16)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    @property
    def requests_made(self) -> int:
        """Every try so far."""
        return self._requester.requests_made

    def request(
        self,
        method: str,
        path: str,
        *,
        obj: str,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        form: Mapping[str, Any] | None = None,
        limits: Mapping[RateLimiter, float] | None = None,
    ) -> Any:
        """The parsed JSON answer, or None where the vendor answers that nothing matches.

        `path` follows the base URL; `body` goes out as JSON, `form` form-encoded. For the rest see `Requester.ask`.
        """
        answer = self.answer(method, path, obj=obj, params=params, body=body, form=form, limits=limits)
        return None if answer is None else answer.body

    def answer(
        self,
        method: str,
        path: str,
        *,
        obj: str,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        form: Mapping[str, Any] | None = None,
        limits: Mapping[RateLimiter, float] | None = None,
    ) -> Answer | None:
        """Like `request`, with the answer's status and headers."""
        payload = form if body is None else orjson.dumps(body)
        headers = None if body is None else {"Content-Type": "application/json"}

        def send(seconds: float) -> Answer:
            return self._send(method, self.profile.base_url + path, params, payload, headers, seconds)

        return self._requester.ask(send, obj=obj, limits=limits)

    def close(self) -> None:
        """Ends waits and closes idle connections."""
        self._requester.close()
        self._session.close()

    def _send(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        payload: Any,
        headers: Mapping[str, str] | None,
        seconds: float,
    ) -> Answer:
        retry = self.profile.retry
        until = time.monotonic() + seconds
        try:
            with self._session.request(
                method,
                url,
                params=params,
                data=payload,
                headers=headers,
                timeout=(min(retry.connect_timeout, seconds), min(retry.read_timeout, seconds)),
                allow_redirects=False,
                stream=True,
            ) as response:
                return _answer(response, until)
        except requests.ConnectTimeout as error:
            raise NoAnswer("did not answer in time", unreachable=True) from error
        except (requests.Timeout, urllib3.exceptions.ReadTimeoutError) as error:
            raise NoAnswer("did not answer in time") from error
        except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
            cut = "Connection aborted" in str(error) or isinstance(error, urllib3.exceptions.HTTPError)
            raise NoAnswer("cut the connection" if cut else "cannot be reached", unreachable=not cut) from error
        except (requests.RequestException, ValueError) as error:
            raise ConnectionFailed(
                f"{self.profile.base_url!r} cannot be asked ({type(error).__name__})",
                remedy=f"Set {self.profile.base_url_setting} to a URL such as https://api.example.com",
                system=self.profile.system,
            ) from error


class _HeaderAuth(requests.auth.AuthBase):
    """Sets the Authorization header last, so that a stray .netrc entry cannot replace it."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value is not None:
            request.headers["Authorization"] = self._value
        return request


def _answer(response: requests.Response, until: float) -> Answer:
    """Reads the body as it arrives. Raises NoAnswer where it is not all there at `until`."""
    pieces = []
    while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
        pieces.append(piece)
        if time.monotonic() > until:
            raise NoAnswer("did not answer in time")
    content = b"".join(pieces)
    try:
        return Answer(response.status_code, response.headers, orjson.loads(content))
    except orjson.JSONDecodeError:
        return Answer(response.status_code, response.headers, content.decode(errors="replace"), torn=True)
