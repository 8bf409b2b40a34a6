"""The areas beside the data: the web process, the shared cache, delivery, the exporter, retention."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.doctor.reaching import SOON

if TYPE_CHECKING:
    from sophia_assets.doctor.patient import Patient

WEB, CACHE, EXPORTER, RETENTION = "web", "cache", "exporter", "retention"
_WEB, _CACHE, _EXPORTER, _RETENTION = (Findings(area) for area in (WEB, CACHE, EXPORTER, RETENTION))
_SECONDS = 3.0
_RETENTION_LATE = timedelta(hours=50)


def check_web(patient: Patient) -> Iterator[Finding]:
    """The certificate and its key, and who has the port."""
    web = patient.settings.web
    if web.tls_cert and web.tls_key:
        yield from _certificate(web.tls_cert, web.tls_key, patient.now)
    scheme = "https" if web.has_tls else "http"
    yield _port(_WEB, "the reader", web.host, web.port, f"{scheme}://{{place}}/healthz", "SOPHIA_WEB_PORT")


def _certificate(cert: Path, key: Path, now: datetime) -> Iterator[Finding]:
    from cryptography import x509

    remedy = "Set SOPHIA_WEB_TLS_CERT and SOPHIA_WEB_TLS_KEY to a certificate and its own key, PEM, without a password"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
        found = x509.load_pem_x509_certificates(cert.read_bytes())[0]
    except ssl.SSLError as error:
        why = "its key is another one's" if "MISMATCH" in str(error) else f"it cannot be loaded ({error.reason})"
        yield _WEB.problem("certificate", f"{cert}: {why}", remedy)
        return
    except (OSError, ValueError, IndexError) as error:
        told = f"{cert} or {key} cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"
        yield _WEB.problem("certificate", told, remedy)
        return
    ends = found.not_valid_after_utc
    told = f"the certificate {cert} {'ended' if ends < now else 'ends'} on {ends:%Y-%m-%d}"
    renew = "Renew it, and restart `sophia serve`"
    if ends < now:
        yield _WEB.problem("certificate", told, renew)
    elif ends - now < SOON:
        yield _WEB.warning("certificate", told, renew)
    else:
        yield _WEB.ok("certificate", f"{told}, and its key fits")


def _port(about: Findings, what: str, host: str, port: int, url: str, setting: str) -> Finding:
    """Whether the port is free, ours, or another program's."""
    import requests

    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.strip("[]"), host.strip("[]"))
    place = f"[{here}]:{port}" if ":" in here else f"{here}:{port}"
    try:
        with socket.create_connection((here, port), timeout=_SECONDS):
            pass
    except OSError:
        return about.ok("port", f"port {port} is free; {what} is not running")
    with suppress(requests.RequestException), requests.Session() as session:
        session.trust_env = False
        session.verify = False  # it is this machine's own, by whatever name
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        if session.get(url.format(place=place), timeout=_SECONDS).status_code == 200:
            return about.ok("port", f"{what} answers on port {port}")
    told = f"port {port}, which {what} needs, is in use by another program"
    return about.warning("port", told, f"Stop that program, or set {setting}")


def check_cache(patient: Patient) -> Iterator[Finding]:
    """Whether the shared cache answers, takes the login, and lets its keys be read. Nothing is written."""
    url = patient.settings.cache_url
    if not url:
        yield _CACHE.skipped("redis", "every process has a cache of its own (SOPHIA_CACHE_URL is not set)")
        return
    if patient.is_offline:
        yield _CACHE.skipped("redis", "it was not asked (--offline)")
        return
    yield _redis(url)


def _redis(url: str) -> Finding:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from sophia_assets.control.shared_cache import PREFIX

    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
    remedy = "Check SOPHIA_CACHE_URL, and that Redis runs there; until then each process uses a cache of its own"
    try:
        client = redis.Redis.from_url(
            url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        with client:
            client.ping()
            client.get(f"{PREFIX}doctor")
            client.pttl(f"{PREFIX}doctor")
            client.hgetall(f"{PREFIX}doctor")
    except redis.exceptions.NoPermissionError as error:
        told = f"the user may not do what the cache needs ({_words(error)})"
        grant = f"Grant it: ACL SETUSER <user> +get +set +pttl +hincrby +hgetall +expire ~{PREFIX}*"
        return _CACHE.problem("redis", told, grant)
    except (redis.exceptions.RedisError, OSError, ValueError) as error:
        if isinstance(error, redis.exceptions.AuthenticationError) or "NOAUTH" in str(error):
            return _CACHE.problem(
                "redis", f"Redis at {place} refused the login", "Check the user and the password in SOPHIA_CACHE_URL"
            )
        return _CACHE.problem("redis", f"Redis at {place} cannot be used ({type(error).__name__})", remedy)
    return _CACHE.ok("redis", f"Redis answers at {place}")


def _words(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def check_exporter(patient: Patient) -> Iterator[Finding]:
    """Whether the exporter answers where it is to listen."""
    exporter = patient.settings.exporter
    yield _port(
        _EXPORTER, "the exporter", exporter.host, exporter.port, "http://{place}/healthz", "SOPHIA_EXPORTER_PORT"
    )


def check_retention(patient: Patient) -> Iterator[Finding]:
    """When old records were last removed."""
    from sqlalchemy import select

    from sophia_assets.control.schema import measures
    from sophia_assets.telemetry.series import RETENTION_RUN

    if not patient.store().is_usable:
        yield _RETENTION.skipped("last run", "when old records were last removed is not known: see the control store")
        return
    wanted = select(measures.c.value).where(measures.c.series == RETENTION_RUN.name, measures.c.day == "")
    with patient.services.control.reading() as connection:
        stamp = connection.execute(wanted).scalar()
    remedy = "Run `sophia retention apply`, or switch the schedule of retention_job on"
    if not stamp:
        yield _RETENTION.skipped("last run", "old records were never removed here", remedy)
        return
    last = datetime.fromtimestamp(float(stamp), UTC)
    told = f"old records were last removed at {last:%Y-%m-%d %H:%M} UTC"
    late = patient.now - last > _RETENTION_LATE
    yield _RETENTION.warning("last run", told, remedy) if late else _RETENTION.ok("last run", told)
