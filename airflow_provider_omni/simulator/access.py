"""Access to the control calls: browsers' tricks (DNS rebinding, cross-site requests) are kept out. Decides only."""

from __future__ import annotations

import base64
import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class ControlAccess:
    """The rules for one server.

    `hosts`: names under which control calls may be made. `credentials`: `login:password` that they need, None on
    loopback.
    """

    hosts: frozenset[str] = LOOPBACK_NAMES
    credentials: str | None = None

    def refusal(self, method: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Return status and reason when a control call is not allowed, None when it is. Header names are lower case."""
        host = headers.get("host", "")
        if _name(f"//{host}") not in self.hosts:
            return 403, f"Host: control calls are taken for {', '.join(sorted(self.hosts))} only (--allow-host)"
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return 403, "Origin: control calls from pages of other sites are refused"
        if method != "GET" and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return 403, "Sec-Fetch-Site: control calls from pages of other sites are refused"
        if method != "GET" and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return 415, "Content-Type: must be application/json"
        if self.credentials is not None:
            expected = "Basic " + base64.b64encode(self.credentials.encode()).decode()
            if not secrets.compare_digest(headers.get("authorization", ""), expected):
                return 401, "Authorization: a server that is not bound to loopback wants the login for control calls"
        return None


def is_loopback(host: str) -> bool:
    """Return True when only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
