"""Who may log in to the account: a user with a password or a key, under a role that is theirs."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sophia_assets.sandbox.standins.answers import random_uuid

ACCOUNT, ROLE, WAREHOUSE = "SANDBOX", "SANDBOX_READER", "SANDBOX_WH"
WRONG_CREDENTIAL, WRONG_KEY, WRONG_ROLE = "390100", "390144", "390189"
_KEY_PAIR = "SNOWFLAKE_JWT"
_ROLES = (None, "", ROLE, "PUBLIC")


@dataclass(frozen=True)
class Doorkeeper:
    """Checks logins against the one user that there is; `public_key` is PEM, or empty for none."""

    user: str
    password: str
    public_key: str = ""

    def refusal(self, data: Mapping[str, Any], role: str | None) -> tuple[str, str] | None:
        """Why a login is refused, as a code and a message; None where it is not."""
        by_key = data.get("AUTHENTICATOR") == _KEY_PAIR
        if by_key and not self._key_is(data.get("TOKEN")):
            return WRONG_KEY, f"JWT token is invalid. [{random_uuid()}]"
        if not by_key and (data.get("LOGIN_NAME") != self.user or not self._password_is(data.get("PASSWORD"))):
            return WRONG_CREDENTIAL, "Incorrect username or password was specified."
        if role not in _ROLES:
            return WRONG_ROLE, (
                f"Role '{role}' specified in the connect string does not exist or not authorized. Contact your "
                "local system administrator, or attempt to login with another role, e.g. PUBLIC."
            )
        return None

    def _password_is(self, given: Any) -> bool:
        return isinstance(given, str) and secrets.compare_digest(given.encode(), self.password.encode())

    def _key_is(self, token: Any) -> bool:
        """Whether the token was signed by the user's key and says, in time, that it is the user's."""
        import jwt
        from cryptography.hazmat.primitives import serialization

        if not self.public_key:
            return False
        key = serialization.load_pem_public_key(self.public_key.encode())
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        fingerprint = base64.b64encode(hashlib.sha256(der).digest()).decode()
        subject = f"{ACCOUNT}.{self.user.upper()}"
        try:
            jwt.decode(
                str(token),
                self.public_key,
                algorithms=["RS256"],
                issuer=f"{subject}.SHA256:{fingerprint}",
                subject=subject,
                options={"require": ["exp", "iss", "sub"]},
            )
        except jwt.InvalidTokenError:
            return False
        return True
