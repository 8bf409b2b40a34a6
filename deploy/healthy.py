"""Whether a process of the container answers: `python healthy.py PORT PATH` ends with 0 or 1, for health checks.

Nothing but the standard library, so that it costs a tenth of a second.
"""

from __future__ import annotations

import http.client
import ssl
import sys

_TIMEOUT_S = 4.0


def is_healthy(port: int, path: str) -> bool:
    """Whether `path` answers on loopback with a status below 400, plainly or over TLS.

    The certificate is for the name by which readers come, so that it is not looked at here.
    """
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    for connection in (
        http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S),
        http.client.HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT_S, context=unverified),
    ):
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return False


if __name__ == "__main__":
    sys.exit(0 if is_healthy(int(sys.argv[1]), sys.argv[2]) else 1)
