"""The page's files, and the headers that keep it to itself: no script, style or connection but its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

KINDS: Mapping[str, str] = {
    "inbox.html": "text/html; charset=utf-8",
    "inbox.css": "text/css; charset=utf-8",
    "inbox.js": "text/javascript; charset=utf-8",
    "bubbles.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""File → media type."""
ROOT = "inbox.html"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
CAREFUL: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
"""Headers of every answer that is not the vendor's."""
HEADERS: Mapping[str, str] = {**CAREFUL, "content-security-policy": POLICY, "referrer-policy": "no-referrer"}
"""Headers of the page's files."""


@dataclass(frozen=True)
class PageFile:
    """A file as it is sent."""

    body: bytes
    kind: str


@cache
def page_file(name: str) -> PageFile | None:
    """Return one of the page's files, None when there is no such."""
    if name not in KINDS:
        return None
    return PageFile((files("airflow_provider_omni.simulator") / "pages" / name).read_bytes(), KINDS[name])
