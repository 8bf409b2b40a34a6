"""Reaching an address: whether its name resolves, it answers, its certificate is good, and what time it has there.

Belongs here: the way to an address. Does not belong here: what is said there (`sources`), or credentials: none is sent.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sophia_assets.doctor.findings import Finding, Findings

if TYPE_CHECKING:
    from sophia_assets.doctor.patient import Patient

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 6.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
SOON = timedelta(days=14)
# A Date header has whole seconds.
_WHOLE_SECOND = 0.5


class Unreachable(Exception):
    """An address that cannot be reached: `told` completes "<name> ...", `remedy` says what to do."""

    def __init__(self, told: str, remedy: str) -> None:
        super().__init__(told)
        self.told, self.remedy = told, remedy


@dataclass(frozen=True)
class Reached:
    """An address that answered. `ahead` is how far its clock is ahead of ours, in seconds; None where it tells none.

    `certificate_until` is when its certificate ends (UTC), None without TLS.
    """

    seconds: float
    ahead: float | None
    certificate_until: datetime | None


def reach(url: str, setting: str) -> Reached:
    """Asks for the address with HEAD and no credential; any answer will do. Raises Unreachable."""
    import requests

    session = requests.Session()
    # As the connectors do: a loopback address is never reached through a company's proxy.
    session.trust_env = urlsplit(url).hostname not in _LOOPBACK
    began = time.time()
    try:
        with session.head(
            url if urlsplit(url).path.endswith("/") else f"{url}/",
            timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
            allow_redirects=False,
            stream=True,
            auth=lambda request: request,  # nothing of a .netrc
            headers={"User-Agent": "sophia-assets"},
        ) as response:
            ended = time.time()
            until = _certificate_end(response)
            return Reached(ended - began, _ahead(response.headers.get("Date", ""), began, ended), until)
    except requests.exceptions.SSLError as error:
        raise _untrusted(url, error) from None
    except requests.exceptions.ProxyError:
        remedy = "Check HTTPS_PROXY and NO_PROXY"
        raise Unreachable("cannot be reached through the proxy", remedy) from None
    except requests.exceptions.ConnectionError as error:
        raise _not_connected(url, setting, error) from None
    except requests.exceptions.Timeout:
        raise Unreachable(
            f"did not answer within {ANSWER_SECONDS:g} s", "See its status page, and run this again"
        ) from None
    except (requests.exceptions.RequestException, ValueError, UnicodeError):
        raise Unreachable("has an address that is no URL", f"Set {setting} to a URL such as https://...") from None
    finally:
        session.close()


def check_reach(patient: Patient, about: Findings, name: str, url: str, setting: str) -> Iterator[Finding]:
    """The address's findings; a clock that is met on the way is kept for the area `clock`."""
    from sophia_assets.doctor.patient import Skew

    place = _place(url)
    try:
        reached = reach(url, setting)
    except Unreachable as error:
        yield about.problem("address", f"{name} at {place} {error.told}", error.remedy)
        return
    if reached.ahead is not None:
        patient.skews.append(Skew(name, reached.ahead, reached.seconds / 2 + _WHOLE_SECOND))
    left = reached.certificate_until - patient.now if reached.certificate_until else None
    if left is not None and left < SOON:
        told = f"the certificate of {place} ends on {reached.certificate_until:%Y-%m-%d}"
        yield about.warning("address", told, f"Have whoever runs {place} renew it; until then {name} can be read")
    else:
        yield about.ok("address", f"{name} answers at {place} in {reached.seconds * 1000:.0f} ms")


def _place(url: str) -> str:
    """The host and port of an address: no user, no password, no path."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname or url}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "its address"


def _ahead(date: str, began: float, ended: float) -> float | None:
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    aware = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    return aware.timestamp() + _WHOLE_SECOND - (began + ended) / 2


def _certificate_end(response: Any) -> datetime | None:
    """When the certificate of the connection ends; None without TLS, or where the library does not tell."""
    wire = getattr(getattr(response.raw, "_connection", None), "sock", None)
    if not isinstance(wire, ssl.SSLSocket):
        return None
    ends = (wire.getpeercert() or {}).get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(ends)), UTC) if ends else None


def _not_connected(url: str, setting: str, error: Exception) -> Unreachable:
    from urllib3.exceptions import NameResolutionError

    host = urlsplit(url).hostname
    chain = _chain(error)
    if any(isinstance(each, (NameResolutionError, socket.gaierror)) for each in chain):
        return Unreachable("has a name that does not resolve", f"Check {setting} and the network: is {host} right?")
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return Unreachable("refuses connections", f"Check {setting}, and that it runs and a firewall lets it through")
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        told = f"did not take a connection within {CONNECT_SECONDS:g} s"
        return Unreachable(told, f"Check the network, the firewall and {setting}")
    if "aborted" in str(error) or "reset" in str(error).lower():
        return Unreachable("cut the connection without an answer", "See its status page, and run this again later")
    return Unreachable("cannot be reached", f"Check the network and {setting}")


def _untrusted(url: str, error: Exception) -> Unreachable:
    """What is wrong with a certificate: that it has ended counts more than that nobody vouches for it."""
    parts = urlsplit(url)
    refused = next((each for each in _chain(error) if isinstance(each, ssl.SSLCertVerificationError)), None)
    if refused is None:
        return Unreachable("speaks no TLS that is accepted here", "Check that the address begins with the right scheme")
    ends = _end_unverified(str(parts.hostname), parts.port or 443)
    if ends is not None and ends < datetime.now(UTC):
        told = f"has a certificate that ended on {ends:%Y-%m-%d} ({refused.verify_message})"
        return Unreachable(told, "Have whoever runs it renew the certificate; if it is in order, set this clock right")
    return Unreachable(
        f"has a certificate that cannot be verified ({refused.verify_message})",
        "Check the address; where a company's own authority signed it, set REQUESTS_CA_BUNDLE to its certificate",
    )


def _end_unverified(host: str, port: int) -> datetime | None:
    """When the certificate that a server shows ends, whoever signed it."""
    from cryptography import x509

    try:
        pem = ssl.get_server_certificate((host, port), timeout=CONNECT_SECONDS)
        return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _chain(error: BaseException | None) -> list[BaseException]:
    """An error and everything that it was made from, urllib3's own reasons included."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or each in found:
            continue
        found.append(each)
        reasons = [getattr(each, "reason", None), *getattr(each, "args", ())]
        waiting += [reason for reason in reasons if isinstance(reason, BaseException)]
        waiting += [each.__cause__, each.__context__]
    return found
