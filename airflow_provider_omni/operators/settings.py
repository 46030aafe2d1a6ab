"""Arguments of sends that show what they are before anything is rendered: flags, counts, words.

They are checked when a DAG is read and when a task begins. DAG files are read often, so nothing here loads models of
contents, tables of numbers or clients.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import time
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator, StrictBool, StrictStr, ValidationInfo

from airflow_provider_omni.delivery.ledger.shards import Shard
from airflow_provider_omni.delivery.outbox.budget import Limit, PriceTable, read_limit, read_prices
from airflow_provider_omni.delivery.recipients.time_zones import is_zone
from airflow_provider_omni.omni.arguments import ArgumentModel
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.regions import read_check, read_countries, read_region

MOST_LOG_GRACE = 300
"""Seconds. Two of them must fit into the time that a try gives the logs."""
SHORTEST_WINDOW = 15
"""Minutes. In the last two of them nothing is sent at once."""
LONGEST_TIME = 12
"""Characters of what may be a time, and is shown in errors. A longer text may be somebody's."""
_FLAG = "True or False; it is no template"
_FIELD = "the name of a field"
_WHOLE = "a whole number from 1"
Whole = Annotated[int, Field(strict=True, ge=1)]


def _by_shape(info: ValidationInfo) -> bool:
    """Return True while a DAG is read: then no tables are loaded."""
    return bool((info.context or {}).get("by_shape"))


def _region(value: object, info: ValidationInfo) -> str:
    return read_region(value, by_shape=_by_shape(info))


def _countries(value: object, info: ValidationInfo) -> frozenset[str]:
    return read_countries(value, by_shape=_by_shape(info))


def _key_field(value: object, info: ValidationInfo) -> object:
    if value and value == info.data.get("phone_field"):
        line = (
            "key_field: is the phone_field, and a number that is written in two ways would be two people. Leave "
            "key_field out: the number tells recipients apart, however it is written"
        )
        raise OmniInputError("The fields cannot be used", problems=[line])
    return value or None


def _hours(value: object) -> object:
    wanted = "two times of a day such as ('09:00', '20:00')"
    if isinstance(value, list | tuple) and len(value) == 2:
        wrong = [describe(each, len(str(each)) <= LONGEST_TIME) for each in value if not _is_time(each)]
        if wrong:
            raise ValueError(unexpected("", " and ".join(wrong), wanted))
    try:
        opens, closes = [time.fromisoformat(each) for each in value]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValueError(unexpected("", describe(value), wanted)) from None
    if isinstance(value, str) or opens == closes or opens.tzinfo or closes.tzinfo:
        raise ValueError(unexpected("", describe(value, True), f"{wanted}, which differ, without an offset"))
    length = (closes.hour * 60 + closes.minute - opens.hour * 60 - opens.minute) % (24 * 60)
    if length < SHORTEST_WINDOW:
        raise ValueError(unexpected("", f"{length} minutes", f"hours of at least {SHORTEST_WINDOW} minutes"))
    return opens, closes


def _is_time(value: object) -> bool:
    try:
        time.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _zone(value: object) -> object:
    if not isinstance(value, str) or not is_zone(value):
        raise ValueError(unexpected("", describe(value), "the name of a time zone such as Asia/Bangkok"))
    return value


class NumberSettings(ArgumentModel):
    """Settings by which numbers are read. None: as the connection says."""

    region: Annotated[str, PlainValidator(_region)] | None = None
    allowed_countries: Annotated[frozenset[str], PlainValidator(_countries)] | None = None
    number_check: Annotated[str, PlainValidator(read_check)] | None = None


class SendSettings(NumberSettings):
    """Settings of a send to a few people. They are described at `OmniSendMessageOperator`."""

    placeholders: StrictBool = Field(True, repr=False, description=_FLAG)
    dry_run: StrictBool = Field(False, repr=False, description=_FLAG)
    on_rejected: Literal["fail", "ignore"] = Field("fail", description="'fail' or 'ignore'")
    send_window: Annotated[tuple[time, time], PlainValidator(_hours)] | None = None
    timezone: Annotated[str, PlainValidator(_zone)] | None = None
    log_grace: float = Field(30.0, strict=True, ge=0, le=MOST_LOG_GRACE, description=f"0 to {MOST_LOG_GRACE} seconds")


def window_problems(settings: SendSettings, known: Iterable[str], *, has_send_at: bool) -> list[str]:
    """Return the problems of the hours in which messages may go out, together with what belongs to them.

    :param known: problems with each of these arguments alone.
    """
    if any(line.startswith(("send_window", "timezone")) for line in known):
        return []
    zone_field = getattr(settings, "timezone_field", None)
    given = [name for name, value in (("timezone", settings.timezone), ("timezone_field", zone_field)) if value]
    if settings.send_window is None:
        return [f"{name}: given without a send_window, whose hours it is about" for name in given]
    problems = []
    if settings.timezone is None:
        problems.append("timezone: missing; the hours of a send_window are those of a time zone such as Asia/Bangkok")
    if has_send_at:
        problems.append("send_at: given together with a send_window; one of them says when messages go out")
    return problems


class BatchSettings(SendSettings):
    """Settings of a batch. They are described at `OmniSendBatchOperator`."""

    on_rejected: Literal["fail", "ignore"] | Annotated[float, Field(strict=True, ge=0, le=1)] = Field(  # type: ignore[assignment]  # wider: a share, too
        "fail", description="'fail', 'ignore' or a highest ratio such as 0.02"
    )
    phone_field: StrictStr = Field("phone", min_length=1, description=_FIELD)
    key_field: Annotated[StrictStr | None, BeforeValidator(_key_field)] = Field(None, description=_FIELD)
    chunk_size: Whole | None = Field(None, description=_WHOLE)
    max_connections: Whole | None = Field(None, description=_WHOLE)
    max_recipients: Whole | None = Field(None, description=_WHOLE)
    max_quarantined: Annotated[int, Field(strict=True, ge=0)] | Annotated[float, Field(strict=True, ge=0, le=1)] = (
        Field(0.1, description="a count of rows such as 20, or a share of them such as 0.1")
    )
    timezone_field: Annotated[StrictStr | None, BeforeValidator(lambda name: name or None)] = Field(
        None, description=_FIELD
    )
    max_cost: Annotated[Limit, PlainValidator(read_limit)] | None = None
    prices: Annotated[PriceTable, PlainValidator(read_prices)] | None = None
    shard: Annotated[Shard | None, PlainValidator(Shard.parse)] = None
