"""Names of files and ledgers as OpenLineage has them: a namespace for the store, and a name within it.

Other systems know the same file by the same two texts, so they follow OpenLineage's naming rules. Neither holds a
login, a connection's id, what a signed URL ends in, or somebody's phone number or e-mail address.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from airflow_provider_omni.omni.masking import mask_number

_SCHEMES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfs": "abfss"}
"""Schemes that are other words for a store, with OpenLineage's word."""
_OBJECT_STORES = frozenset({"abfss", "gs", "s3", "wasbs"})
"""Stores of keys, which do not begin with a slash."""
_SHARD = re.compile(r"/shard-\d+-of-\d+/?$")
"""The end of the path of one shard's part of a ledger, as `delivery/ledger/shards.py` names it."""
_LONG_DIGITS = re.compile(r"\+?(?<!\d)\d{9,15}(?!\d)")
_TIME = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])(?:[0-5]\d){1,2}")
"""A time as digits, such as 20261128193000."""
_EMAIL = re.compile(r"[^\s@/=]{1,100}@[^\s@/]{1,100}")


class DatasetName(NamedTuple):
    """The name of a dataset.

    :param namespace: the store, such as `s3://bucket`, or `file`.
    :param name: the path or key in it.
    """

    namespace: str
    name: str


def file_name(place: str) -> DatasetName:
    """Return the name of a file.

    :param place: an absolute path, or a URL such as `s3://conn@bucket/key`.
    """
    if "://" not in place:
        return DatasetName("file", _without_people(place))
    scheme, _, rest = place.partition("://")
    scheme = _SCHEMES.get(scheme.lower(), scheme.lower())
    # Only URLs of the web have a query: elsewhere such signs may belong to a key.
    if scheme in ("http", "https"):
        split = urlsplit(place)
        rest = split.netloc + split.path
    host, slash, path = rest.partition("/")
    host = _without_people(host.rpartition("@")[2])
    if scheme == "file":
        return DatasetName(f"file://{host}" if host and host != "localhost" else "file", _without_people(slash + path))
    name = _without_people(path.lstrip("/") if scheme in _OBJECT_STORES else slash + path)
    return DatasetName(f"{scheme}://{host}" if host else scheme, name or "/")


def ledger_name(path: str) -> DatasetName:
    """Return the name of a ledger. All its shards are one dataset: they are parts of one batch."""
    whole = _SHARD.sub("", path)
    return file_name(whole.rstrip("/") or whole)


def _without_people(text: str) -> str:
    """Return a path in which phone numbers and e-mail addresses are masked. Dates and times stay."""
    text = _EMAIL.sub("…@…", text)
    return _LONG_DIGITS.sub(lambda digits: digits[0] if _TIME.fullmatch(digits[0]) else mask_number(digits[0]), text)
