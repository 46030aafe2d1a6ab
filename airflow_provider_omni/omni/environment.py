"""The environment's words about the way to the vendor: the proxy to go through, and the authorities to believe.

Read in one place, so that a worker and a triggerer of one machine go the same way. No credential of the account ever
goes to a proxy: only TLS is sent through one, in a tunnel. Plain http goes straight to its host.
"""

from __future__ import annotations

import base64
import functools
import ipaddress
import os
import re
import ssl
import stat
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import certifi

from airflow_provider_omni.omni.config import is_loopback
from airflow_provider_omni.omni.errors import OmniConfigurationError
from airflow_provider_omni.omni.problems import unexpected

SEVERAL = "SSL_CERT_DIR"
"""OpenSSL's own variable for folders, which may name several."""
BUNDLE_VARIABLES = (("REQUESTS_CA_BUNDLE",), ("CURL_CA_BUNDLE",), ("SSL_CERT_FILE", SEVERAL))
"""Variables that may name authorities; the first that is set counts. Without one: those of certifi."""


@dataclass(frozen=True)
class Proxy:
    """A proxy that makes tunnels.

    :param url: scheme, host and port, without a login.
    :param variable: what named it.
    :param login: the value of Proxy-Authorization; None where its URL holds no login.
    """

    url: str
    variable: str
    login: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """For errors: which proxy, and who says so."""
        return f"{self.url} (from {self.variable})"

    @property
    def headers(self) -> dict[str, str]:
        """Headers with which a tunnel is asked for; nothing of the account's is among them."""
        return {} if self.login is None else {"Proxy-Authorization": self.login}


@dataclass(frozen=True)
class Way:
    """The way to the account's host.

    :param tls: what to believe; None for plain http.
    :param authorities: for errors: the bundle, and who named it.
    """

    proxy: Proxy | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    authorities: str = ""


def find_way(base_url: str) -> Way:
    """Read the environment, and the bundle of authorities that it names. Opens no connection, but does read a file.

    Raises OmniConfigurationError that names the variable and the proxy or the bundle. Nothing was sent then.
    """
    if not base_url.startswith("https://"):
        return Way()
    named = _bundles(os.environ)
    shown = ", ".join(f"{path} (from {variable})" for path, variable in named) or "certifi's"
    return Way(proxy_for(base_url), _context(named or [(certifi.where(), "certifi")]), shown)


# --- the proxy -------------------------------------------------------------------------------------------------------


def proxy_for(base_url: str) -> Proxy | None:
    """Return the proxy that `https_proxy` or `all_proxy` names, unless `no_proxy` names the host.

    Raises OmniConfigurationError for a proxy that cannot be used.
    """
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or 443
    if parts.scheme != "https" or is_loopback(host):
        return None
    value, variable = _named_proxy(os.environ)
    if not value or _is_excepted(host, port):
        return None
    return _read_proxy(value, variable)


def _named_proxy(environ: Mapping[str, str]) -> tuple[str, str]:
    for name in ("https_proxy", "all_proxy"):
        value, variable = _variable(environ, name)
        if value:
            return value, variable
    if sys.platform in ("darwin", "win32"):
        found = urllib.request.getproxies()
        return found.get("https") or found.get("all") or "", "the system's settings"
    return "", ""


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the variable in whatever case it is written. Lower case counts first, and may be empty to say: none."""
    if name in environ:
        return environ[name].strip(), name
    written = next((each for each in sorted(environ) if each.lower() == name and environ[each].strip()), "")
    return (environ[written].strip(), written) if written else ("", "")


def _is_excepted(host: str, port: int) -> bool:
    if excepts(_variable(os.environ, "no_proxy")[0], host, port):
        return True
    return sys.platform in ("darwin", "win32") and bool(urllib.request.proxy_bypass(host))


def excepts(no_proxy: str, host: str, port: int) -> bool:
    """Return True if `no_proxy` names this host.

    Entries stand between commas or spaces: `*`, a name (which stands for what is below it, too, with or without a
    leading `.` or `*.`), an address, a network (`10.0.0.0/8`, `fd00::/8`); each but a network with or without
    a port, IPv6 in brackets then.
    """
    return any(_names(entry.lower(), host.lower().rstrip("."), port) for entry in re.split(r"[,;\s]+", no_proxy))


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    entry = entry.partition("://")[2] or entry
    address = _address(host)
    try:
        network = ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    else:
        return address is not None and address in network
    name, colon, own_port = entry.rstrip("/").rpartition(":")
    if colon and own_port.isascii() and own_port.isdigit():
        if int(own_port) != port:
            return False
        entry = name
    entry = entry.strip("[]/").removeprefix("*").lstrip(".").rstrip(".")
    if address is not None:
        return _address(entry) == address
    return bool(entry) and (host == entry or host.endswith("." + entry))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _read_proxy(value: str, variable: str) -> Proxy:
    """Read a proxy as people write it: with or without a scheme, a login, a port. What is wrong with it shows no
    login.
    """
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        scheme = host = ""
        port = None
    written = f"[{host}]" if ":" in host else host
    where = f"{scheme}://{written}" + ("" if port is None else f":{port}")
    if scheme.startswith("socks"):
        raise OmniConfigurationError(
            f"The proxy {where} (from {variable}) is a SOCKS proxy, expected an http or https one: name one in "
            f"https_proxy, or the vendor's host in no_proxy. Nothing was sent."
        )
    if scheme not in ("http", "https") or not re.fullmatch(r"[0-9A-Za-z._:%~-]+", host) or port == 0:
        raise OmniConfigurationError(
            unexpected(
                f"The proxy of {variable} cannot be used",
                "something that is no URL of one",
                "such as http://proxy.example.com:3128. Nothing was sent.",
            )
        )
    if parts.username is None:
        return Proxy(where, variable)
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode("utf-8", "surrogateescape")
    return Proxy(where, variable, "Basic " + base64.b64encode(pair).decode("ascii"))


# --- the authorities -------------------------------------------------------------------------------------------------


def _bundles(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Files and folders of authorities, each with the variable that names it; none: certifi's."""
    for names in BUNDLE_VARIABLES:
        if found := [(environ[name], name) for name in names if environ.get(name)]:
            return [
                (path, name)
                for value, name in found
                for path in (value.split(os.pathsep) if name == SEVERAL else [value])
                if path
            ]
    return []


def _context(named: list[tuple[str, str]]) -> ssl.SSLContext:
    usable: list[tuple[str, str, int]] = []
    passed_over: list[OmniConfigurationError] = []
    for path, variable in named:
        try:
            usable.append((path, variable, _changed(path)))
        except (OSError, ValueError) as error:
            problem = _unusable(path, variable, error)
            if variable != SEVERAL:
                raise problem from None
            passed_over.append(problem)  # as OpenSSL does with its folders, while others are left
    if not usable:
        raise passed_over[0]
    return load_context(tuple(usable))


def _changed(path: str) -> int:
    """Return the time of the last change. Raises OSError if there is no such file, and ValueError for a path that
    cannot hold authorities.
    """
    found = Path(path).stat()
    if stat.S_ISDIR(found.st_mode):
        if not any(_BY_HASH.fullmatch(each.name) for each in Path(path).iterdir()):
            raise ValueError("it holds no certificate under its hash, expected a folder as openssl rehash makes it")
    elif not stat.S_ISREG(found.st_mode):
        raise ValueError("it is neither a file nor a folder")
    return found.st_mtime_ns


_BY_HASH = re.compile(r"[0-9a-f]{8}\.[0-9]+")


@functools.lru_cache(maxsize=8)
def load_context(known: tuple[tuple[str, str, int], ...]) -> ssl.SSLContext:
    """Verifies against these authorities, nobody else. Once per process and bundle: loading them takes long.

    :param known: files and folders, each with the variable that names it, and with when it was changed: there may be
        another bundle in the same place.

    Raises OmniConfigurationError.
    """
    context: ssl.SSLContext | None = None
    for path, variable, _ in known:
        file, folder = (None, path) if Path(path).is_dir() else (path, None)
        try:
            if context is None:
                context = ssl.create_default_context(cafile=file, capath=folder)
            else:
                context.load_verify_locations(cafile=file, capath=folder)
        except (OSError, ValueError) as error:
            raise _unusable(path, variable, error) from None
    assert context is not None
    return context


def _unusable(path: str, variable: str, error: Exception) -> OmniConfigurationError:
    if isinstance(error, ssl.SSLError):
        problem = "it holds no certificate that can be read, expected PEM"
    elif isinstance(error, FileNotFoundError):
        problem = "there is no such file or folder"
    elif isinstance(error, OSError):
        problem = f"it cannot be read ({type(error).__name__})"
    else:
        problem = str(error)
    return OmniConfigurationError(
        f"The bundle of authorities {path!r}, from {variable}, cannot be used: {problem}. "
        "So no certificate can be verified; nothing was sent."
    )
