"""An account and how to talk to it, checked once: from the connection's fields to one immutable value.

Knows the names of Airflow's connection fields, but not Airflow. Opens nothing.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, StrictBool, StrictStr

from airflow_provider_omni.omni.arguments import ArgumentModel, read_arguments
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected, unknown
from airflow_provider_omni.omni.regions import read_check, read_countries, read_region
from airflow_provider_omni.omni.written import looks_written, read_written

_SCHEMES: dict[str, str] = {"basic": "Basic", "app": "App", "bearer": "Bearer"}
MAX_CONNECTIONS = 1000
CONNECTION_TYPE = "omni"


class Secrets(tuple[str, ...]):
    """Secrets of an account. Shown as nothing: what reports an error may show the variables around it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secrets>"


def _none(*_: Any) -> list[str]:
    return []


@dataclass(frozen=True)
class OmniConfig:
    """One account. Hashable, so that what is shared in a process can be kept per account; its repr shows no secret.

    :param base_url: scheme, host and port, without a slash at the end.
    :param authorization: the whole value of the Authorization header.
    :param connect_timeout: seconds for making a connection: the name, all addresses of the host, a proxy and TLS.
    :param read_timeout: seconds from the sent request to the end of its answer; no call takes longer than both.
    :param requests_per_second: limit of this process; None is as fast as it goes.
    :param max_connections: connections, and so requests under way, of this process.
    :param allowed_recipients: when set, everybody else is quarantined; as typed in the connection.
    :param region: of which country numbers without one are (`TH`); None: every number must have its country code.
    :param allowed_countries: when set, numbers of all others are quarantined.
    :param number_check: `valid` numbers only are sent to, or `possible` ones.
    :param id_secret: goes into the ids' namespace.
    :param trust_duplicate_rejection: the account has verified that the vendor refuses a repeated message id.
    :param account: stable short name of the account, without secrets: what limits are shared by.
    :param account_mark: a hash that tells accounts apart on records of what was sent: of the base URL and the login, so
        that it outlives a changed password. Where there is no login, which `app` and `bearer` do not need, of the
        key or token: then another key counts as another account.
    """

    base_url: str
    authorization: str = field(repr=False)
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    requests_per_second: float | None = None
    max_connections: int = 8
    allowed_recipients: frozenset[str] | None = field(default=None, repr=False)
    region: str | None = None
    allowed_countries: frozenset[str] | None = None
    number_check: str = "valid"
    id_secret: str | None = field(default=None, repr=False)
    trust_duplicate_rejection: bool = False
    account: str = ""
    account_mark: str = ""

    @property
    def longest_call(self) -> float:
        """Seconds within which a call is over for certain, from when it is to be made: its turn at the rate limit, the
        connection, whichever of the host's addresses takes it, and the answer.
        """
        turn = 0.0 if self.requests_per_second is None else 1.0 / self.requests_per_second
        return self.connect_timeout + self.read_timeout + turn

    @property
    def secrets(self) -> Secrets:
        """Everything of this account that nobody may see: password, key or token, the header that it makes, the ids'
        secret.
        """
        scheme, _, credentials = self.authorization.partition(" ")
        found = {self.authorization, credentials}
        if scheme == "Basic":
            found.add(base64.b64decode(credentials).decode("utf-8", "surrogateescape").partition(":")[2])
        found |= {self.id_secret} if self.id_secret else set()
        return Secrets(sorted((each for each in found if each), key=len, reverse=True))

    @classmethod
    def from_connection(
        cls,
        host: str | None,
        schema: str | None = None,
        port: int | str | None = None,
        login: str | None = None,
        password: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> OmniConfig:
        """Make it from the fields of a connection. Raises OmniConfigurationError that names every problem at once.

        Values of `extra` may be strings, since a connection that is written as a URI has only those.
        """
        return cls._checked([], host, schema, port, login, password, extra)

    @classmethod
    def from_airflow(
        cls, connection: Any, text: str = "", guard_problems: Callable[[Iterable[str], str | None], list[str]] = _none
    ) -> OmniConfig:
        """Make it from a connection as Airflow hands it out: of the type `omni`, its `extra` still the text that was
        typed.

        Airflow's own reader of that text makes no options of what is no JSON, and so no guards. Raises like
        `from_connection`.

        :param text: what Airflow has read the connection from, where that is known.
        :param guard_problems: judges entries of `allowed_recipients` by a region, with tables that are not known here.
        """
        problems = dropped_by_airflow(text)
        kind = connection.conn_type
        if not isinstance(kind, str) or kind.strip().lower() != CONNECTION_TYPE:
            shown = repr(kind[:40]) if isinstance(kind, str) and kind else "none"
            problems.append(unexpected("conn_type", shown, f"{CONNECTION_TYPE!r}: another system's login stays there"))
        extra = read_extra_text(connection.extra, problems)
        return cls._checked(
            problems,
            connection.host,
            connection.schema,
            connection.port,
            connection.login,
            connection.password,
            extra,
            guard_problems,
        )

    @classmethod
    def _checked(
        cls,
        problems: list[str],
        host: Any,
        schema: Any,
        port: Any,
        login: Any,
        password: Any,
        extra: Any,
        guard_problems: Callable[[Iterable[str], str | None], list[str]] = _none,
    ) -> OmniConfig:
        given = _read_extra(extra, problems)
        if allowed := given.allowed_recipients:
            # If the region cannot be read, nobody knows whose the numbers without a country are.
            no_region = any(line.startswith("extra.region:") for line in problems)
            judged = [each for each in sorted(allowed) if each.lstrip().startswith("+") or not no_region]
            problems += guard_problems(judged, given.region)
        base_url = _base_url(
            _text("host", host, problems),
            _text("schema", schema, problems),
            _port(port, problems),
            given.allow_plain_http,
            problems,
        )
        login = _text("login", login, problems, shown=False).rstrip("\r\n")
        # The last line of a secret's file has a line end, and no password has one.
        password = _text("password", password, problems, shown=False).rstrip("\r\n")
        authorization = _authorization(given.auth_type, login, password, problems)
        if problems:
            raise OmniConfigurationError(
                "The OMNI connection cannot be used as it is; nothing was sent.", problems=tuple(problems)
            )
        who = login if given.auth_type == "basic" else ""
        account = hashlib.sha256(f"{base_url}\0{who}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
        mark = _account_mark(base_url, login, "" if login else authorization)
        return cls(base_url=base_url, authorization=authorization, account=account, account_mark=mark, **given.said())


def _account_mark(base_url: str, login: str, secret: str) -> str:
    """Return a hash of who posts where. A port that goes without saying, and a dot at the host's end, make no
    difference.
    """
    parts = urlsplit(base_url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    where = f"{(parts.hostname or '').rstrip('.')}:{port}"
    return hashlib.sha256(
        "\0".join(("omni account", where, login, secret)).encode("utf-8", "surrogatepass")
    ).hexdigest()[:16]


def read_extra_text(text: Any, problems: list[str]) -> Mapping[str, Any] | None:
    """Return the options of a connection's `extra`; None where it has none. Whatever is wrong with it is a problem:
    options that nobody can read may be guards.
    """
    if text is None or text == "":
        return None
    if isinstance(text, Mapping):
        return text
    found = describe(text, False)
    if isinstance(text, str):
        try:
            read = json.loads(text, object_pairs_hook=_each_name_once)
        except _TwiceError as error:
            problems.append(unexpected("extra", f"{error} twice", "every option once"))
            return None
        except (ValueError, RecursionError):
            found = "a text that is not JSON"
        else:
            if isinstance(read, dict):
                return read
            found = "JSON within JSON: it was written down twice" if isinstance(read, str) else describe(read, False)
    problems.append(unexpected("extra", found, 'a JSON object such as {"read_timeout": 60}'))
    return None


def dropped_by_airflow(text: str) -> list[str]:
    """Return as problems the parts of a connection's text (JSON or a URI) that Airflow passes over in silence. Of two
    values of one name it takes the last, and of a URI that has `__extra__` nothing else. Guards may be among the rest.
    """
    text = text.strip()
    if text.startswith("{"):
        try:
            json.loads(text, object_pairs_hook=_each_name_once)
        except _TwiceError as error:
            return [unexpected("extra", f"{error} twice in the connection's JSON", "every option once")]
        except (ValueError, RecursionError):
            pass
        return []
    try:
        parts = urlsplit(text)
        names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    except ValueError:
        return []
    problems = []
    if twice := next((name for name in names if names.count(name) > 1), None):
        problems.append(unexpected("extra", f"{_name(twice)} twice in the connection's URI", "every option once"))
    if "__extra__" in names and set(names) != {"__extra__"}:
        problems.append(
            unexpected("extra", "options beside __extra__ in the connection's URI", "all of them within it")
        )
    if parts.fragment:
        problems.append(unexpected("extra", "a # in the connection's URI, where it ends for Airflow", "it as %23"))
    return problems


class _TwiceError(ValueError):
    """An object has a name twice, and which of the two counts is anybody's guess."""


_FIELDS = frozenset({"conn_type", "host", "schema", "port", "login", "password", "extra"})


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _TwiceError(twice if twice in EXTRAS or twice in _FIELDS else "a name")
    return read


def _text(name: str, value: Any, problems: list[str], shown: bool = True) -> str:
    """Return a field of the connection. A login of digits may have become a number on its way here."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 256:
        return str(value)
    if not isinstance(value, str):
        problems.append(unexpected(name, describe(value, shown), "a text"))
        return ""
    return value


def _port(value: Any, problems: list[str]) -> int | None:
    """Return the port, also as the text that some stores of connections hold. Airflow's form writes 0 for none."""
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "" or (value in (0, "0") and not isinstance(value, bool)):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,5}", value):
        return int(value)
    problems.append(unexpected("port", describe(value, False), "a whole number from 1 to 65535"))
    return None


def authorization_header(config: OmniConfig) -> str:
    """Return the value of the Authorization header: a secret, to be masked wherever it could be logged."""
    return config.authorization


# --- host ------------------------------------------------------------------------------------------------------------


def _base_url(host: str, schema: str, port: int | None, allow_plain: bool, problems: list[str]) -> str:
    """Return the account's base URL. The host field may hold it whole, or the host alone beside schema and port."""
    text = host.strip(_AROUND)
    if not text:
        problems.append("host: missing; it is the account's base URL, such as https://xyz123.api.infobip.com")
        return ""
    scheme = schema.strip(_AROUND).lower().rstrip(":/") or "https"
    if not _SCHEME.fullmatch(scheme):
        problems.append(_NO_SCHEME)
        return ""
    try:
        parts = urlsplit(text if "://" in text else f"{scheme}://{_bracketed(text)}")
        scheme, name, own_port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        problems.append(unexpected("host", "something that is not a URL", "one such as https://xyz123.api.infobip.com"))
        return ""
    if (
        not name
        or not _is_host(name)
        or name in ("http", "https")
        or ("[" in parts.netloc and not _BRACKETS.search(parts.netloc))
    ):
        problems.append(unexpected("host", "something that is no host name", "one such as xyz123.api.infobip.com"))
    if parts.username is not None or parts.password is not None:
        expected = "scheme, host and port only; login and password have own fields"
        problems.append(unexpected("host", "a URL with a login", expected))
    if parts.path.strip("/") or parts.query or parts.fragment:
        expected = "scheme, host and port only; the provider adds paths such as /omni/1"
        problems.append(unexpected("host", "a URL with a path or a query", expected))
    if own_port is not None and port is not None and own_port != port:
        problems.append(unexpected("port", port, f"{own_port}, as the host says, or none"))
    _check_scheme(scheme, name, allow_plain, problems)
    number = own_port if own_port is not None else port
    if number is not None and not 0 < number < 65536:
        problems.append(unexpected("port", number, "1 to 65535"))
    return f"{scheme}://{_bracketed(name)}" + (f":{number}" if number is not None else "")


_AROUND = " \t\r\n\v\f\xa0\u200b\u200c\u200d\u200e\u200f\u2060\u3000\ufeff"
"""Characters that are copied along with a host and cannot be seen."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*")
_NO_SCHEME = unexpected("schema", "something else", "https, or http to this machine")
_BRACKETS = re.compile(r"\[[^\[\]]+\](:[0-9]*)?$")


def _bracketed(name: str) -> str:
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


def _is_host(name: str) -> bool:
    if is_loopback(name) or ":" in name:
        return _is_address(name) or name.lower().rstrip(".") == "localhost"
    return name.isascii() and all(0 < len(label) < 64 and label.replace("-", "").replace("_", "").isalnum()
                                  for label in name.rstrip(".").split("."))  # fmt: skip


def _is_address(name: str) -> bool:
    if not re.fullmatch(r"[0-9A-Za-z.:]+(%[0-9A-Za-z._~-]+)?", name):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Return True if this host name or address stays on this machine."""
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_scheme(scheme: str, name: str, allow_plain: bool, problems: list[str]) -> None:
    if scheme == "https" or (scheme == "http" and is_loopback(name)):
        return
    if scheme != "http":
        # Not shown: where a password in a URI was not percent-encoded, this is a part of it.
        problems.append(_NO_SCHEME)
        return
    bare = name.lower().rstrip(".")
    if bare == "infobip.com" or bare.endswith(".infobip.com"):
        problems.append(unexpected("schema", "http", "https: the password would go to the vendor in the clear"))
    elif not allow_plain:
        problems.append(unexpected("schema", "http", "https; http to another machine needs the extra allow_plain_http"))


# --- login -----------------------------------------------------------------------------------------------------------


def _authorization(auth_type: str, login: str, password: str, problems: list[str]) -> str:
    if not password:
        hint = "" if auth_type == "basic" else f"; with auth_type {auth_type} it is the key or token"
        problems.append("password: missing" + hint)
    if auth_type != "basic":
        if password and not (password.isascii() and password.isprintable() and " " not in password):
            problems.append("password: holds spaces or characters that a key or token cannot have")
        return f"{_SCHEMES[auth_type]} {password}"
    if not login:
        problems.append("login: missing; without one, use the extra auth_type with app or bearer")
    elif ":" in login or not login.isprintable():
        problems.append("login: holds a colon or a control character, which Basic authentication cannot carry")
    if _CONTROL.search(password):
        problems.append("password: holds a line end or a control character, which Basic authentication cannot carry")
    try:
        raw = f"{login}:{password}".encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        problems.append("login, password: hold half of a surrogate pair, which is no character")
        return ""
    return "Basic " + base64.b64encode(raw).decode("ascii")


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


# --- extra -----------------------------------------------------------------------------------------------------------


def _read_extra(extra: Mapping[str, Any] | None, problems: list[str]) -> ConnectionExtras:
    if extra is not None and not isinstance(extra, Mapping):
        problems.append(unexpected("extra", describe(extra), "a JSON object"))
        extra = None
    given = extra or {}
    problems += [_unknown_option(name) for name in given if name not in EXTRAS]
    said = {
        name: value
        for name, value in given.items()
        if name in EXTRAS and (value is not None or name in NEVER_NULL) and (value != "" or name in GUARDS)
    }
    return read_arguments(ConnectionExtras, said, problems, "extra")


def option_problems(name: str, value: Any) -> list[str]:
    """Return what is wrong with one option of `extra`: what a form may ask before it saves it."""
    problems: list[str] = []
    _read_extra({name: value}, problems)
    return problems


def _unknown_option(name: Any) -> str:
    shown = _name(name)
    close = difflib.get_close_matches(shown.lower(), EXTRAS, n=1)
    return (
        f"extra.{shown}: unknown option, did you mean {close[0]}?"
        if close
        else (unknown(f"extra.{shown}", EXTRAS, "option"))
    )


def _name(name: Any) -> str:
    """Return an unknown option's name, where it can be one: what has slipped here may be anything."""
    return name if isinstance(name, str) and re.fullmatch(r"[A-Za-z_][A-Za-z_.\-]{0,59}", name) else "…"


def _recipients(value: Any) -> frozenset[str] | None:
    if isinstance(value, str):
        if value.strip() == EVERYBODY:
            return None
        value = read_written(value) if looks_written(value) else value
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        value = [value]
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ValueError
    if not all(isinstance(one, (str, int)) and not isinstance(one, bool) for one in value):
        raise ValueError
    read = [list(_written_numbers(str(one))) for one in value]
    found = frozenset(number for numbers in read for number in numbers)
    if (value and not found) or EVERYBODY in found:
        raise ValueError  # an emptied text says nothing; and everybody is not one among several
    _refuse_no_numbers(read)
    return found


def _refuse_no_numbers(read: list[list[str]]) -> None:
    """Refuse what is no number by its signs alone. Which numbers there are is known when one is sent to: that takes a
    region.
    """
    name, problems = "extra.allowed_recipients", []
    for place, numbers in enumerate(read):
        if any(_FOREIGN_TO_NUMBERS.search(number) or not _A_DIGIT.search(number) for number in numbers):
            where = f"{name}[{place}]" if len(read) > 1 else name
            problems.append(unexpected(where, "a text that is no number", "a phone number"))
    if problems:
        raise OmniInputError("The guard cannot be used", problems=problems)


def _countries(value: Any) -> frozenset[str] | None:
    return None if isinstance(value, str) and value.strip() == EVERYBODY else read_countries(value)


def _written_numbers(text: str) -> Iterator[str]:
    """Yield the numbers of a text, between commas, semicolons, line ends or spaces. `+41 79 302 67 27` is one."""
    for piece in _BETWEEN_NUMBERS.split(text):
        parts = piece.split()
        if all(sum(character.isdigit() for character in part) >= _WHOLE_NUMBER for part in parts):
            yield from parts
            continue
        number = ""
        for part in parts:
            if part.startswith("+") and number:
                yield number
                number = ""
            number = f"{number} {part}".strip()
        yield number


_A_DIGIT = re.compile(r"\d")
_FOREIGN_TO_NUMBERS = re.compile(r"[^\W\d_\u30fc]|[!?#$%&@=*^{}<>\\_]")
"""A letter, or a sign that stands in no number. (The long mark of Japanese keyboards, a letter, is typed as a dash.)"""
_BETWEEN_NUMBERS = re.compile("[,;\\r\\n\\t\\v\\f\\x85\u2028\u2029\u3001\uff0c\uff1b|]+")
_WHOLE_NUMBER = 7
"""Digits between two spaces that are a number of their own rather than a part of one."""


def _no_flag(value: Any) -> Any:
    """Refuse True and False where pydantic takes them for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError
    return value


def _lower(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _flag(value: Any) -> Any:
    return {"true": True, "false": False}.get(_lower(value), value) if isinstance(value, str) else value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError
    return value


Flag = Annotated[StrictBool, BeforeValidator(_flag), Field(description="true or false")]
Seconds = Annotated[
    float | None,
    BeforeValidator(_no_flag),
    Field(ge=0.1, le=3600, allow_inf_nan=False, description="a number of seconds from 0.1 to 3600"),
]
RequestRate = Annotated[
    float | None, BeforeValidator(_no_flag), Field(ge=0.01, allow_inf_nan=False, description="a number of 0.01 or more")
]
Connections = Annotated[
    int | None,
    BeforeValidator(_no_flag),
    Field(ge=1, le=MAX_CONNECTIONS, description=f"a whole number from 1 to {MAX_CONNECTIONS}"),
]


class ConnectionExtras(ArgumentModel):
    """Options of a connection, as they stand in its `extra`. None: the default, which is `OmniConfig`'s.

    The members of `OmniConfig` of the same names are described there.

    :param auth_type: `basic`, or `app` and `bearer`, which take the key or token from the password.
    :param allow_plain_http: http may go to another machine than this one, except to the vendor.
    """

    texts_may_be_secrets: ClassVar[bool] = True
    """Errors show no text of the extra: a password may have been pasted into the wrong place."""

    auth_type: Annotated[
        Literal["basic", "app", "bearer"], BeforeValidator(_lower), Field(description="basic, app or bearer")
    ] = "basic"
    connect_timeout: Seconds = None
    read_timeout: Seconds = None
    requests_per_second: RequestRate = None
    max_connections: Connections = None
    allowed_recipients: Annotated[frozenset[str] | None, PlainValidator(_recipients)] = Field(
        None, repr=False, description="a list of phone numbers; [] lets nobody through, '*' everybody"
    )
    region: Annotated[str | None, PlainValidator(read_region)] = Field(
        None, description="the two letters of a country, such as TH"
    )
    allowed_countries: Annotated[frozenset[str] | None, PlainValidator(_countries)] = Field(
        None, description="a list of countries, such as TH; [] lets nobody through, '*' everybody"
    )
    number_check: Annotated[str | None, PlainValidator(read_check)] = Field(None, description="valid or possible")
    id_secret: Annotated[StrictStr | None, AfterValidator(_not_blank)] = Field(
        None, repr=False, description="a string that is not blank"
    )
    trust_duplicate_rejection: Flag = False
    allow_plain_http: Flag = False

    def said(self) -> dict[str, Any]:
        """Return the members of `OmniConfig` that are not its defaults."""
        return {name: value for name, value in self if value is not None and name not in _OF_THE_WAY_IN}


_OF_THE_WAY_IN = ("auth_type", "allow_plain_http")
"""Options that end in the base URL and the header."""


EXTRAS = tuple(ConnectionExtras.model_fields)
"""Names of all options."""

EVERYBODY = "*"
"""Value of `allowed_recipients` and `allowed_countries` in a form that nobody has touched."""

GUARDS = frozenset({"allowed_recipients", "allowed_countries", "id_secret"})
"""Options that keep something from happening: a blank one is an error, not the default."""

NEVER_NULL = frozenset({"allowed_recipients", "allowed_countries"})
"""Options for which null is an error, too: Airflow's form writes it for a field that somebody has emptied. (For all
others it is the default, since older forms write it for every field that nobody has touched.)
"""
