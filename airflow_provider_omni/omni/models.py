"""Everything on the wire besides contents: scenarios, addresses, statuses, answers, reports, log rows.

Attributes are snake_case, members of the JSON are the API's own names. Answers ignore members they do not know (the
vendor may add some at any time) and miss nothing but what a decision needs: the message id and the status. What
users type (scenarios, destinations) refuses unknown members, so that a typo is one clear error. Contents are in
`content.py`; what a status means is in `statuses.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, FailFast, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from airflow_provider_omni.omni.channels import Channel
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.problems import unexpected
from airflow_provider_omni.omni.words import some


class ResponseModel(BaseModel):
    """Base of what the vendor sends: lenient, immutable, and silent about its values in errors."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        coerce_numbers_to_str=True,
        hide_input_in_errors=True,
        defer_build=True,
    )


class TypedModel(BaseModel):
    """Base of what users type: unknown members are refused. The constructor raises OmniInputError that names every
    problem and no value; `model_validate` raises pydantic's own error, of which callers make theirs.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,
    )

    def __init__(self, *values: Any, **members: Any) -> None:
        problems = self._problems_of(values, members)
        if problems:  # raised out here, so that no error with the values hangs on to ours
            raise OmniInputError(f"{type(self).__name__} cannot be used as it is.", problems=problems)

    # Pydantic would call a constructor of a class's own from `model_validate`, which has errors of its own.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def _problems_of(self, values: tuple[Any, ...], members: dict[str, Any]) -> list[str]:
        """Take in the members, and return what is wrong with them."""
        name = type(self).__name__
        if values:
            known = ", ".join(type(self).model_fields)
            return [unexpected(name, some(len(values), "value") + " without a name", f"members by name: {known}")]
        try:
            super().__init__(**members)
        except ValidationError as error:
            from airflow_provider_omni.omni.arguments import problems_of

            return problems_of(error, name, type(self))
        return []

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object of the API: its own names, only what was set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


# --- scenarios -------------------------------------------------------------------------------------------------------


class ScenarioStep(TypedModel):
    """One step of a flow: a channel and its sender.

    :param channel: see `Channel`.
    :param from_: the channel's sender (`from` on the wire); the account's own when absent.
    """

    from_: str | None = Field(default=None, alias="from", min_length=1)
    channel: Channel


class NewScenario(TypedModel):
    """The body of creating and of replacing a scenario.

    :param flow: the steps, tried in this order; at least one.
    :param default: makes it the account's default, for every caller who names no scenario.
    """

    name: str = Field(min_length=1)
    flow: tuple[ScenarioStep, ...] = Field(min_length=1)
    default: bool | None = None


class SavedStep(ResponseModel):
    """A step as the vendor tells it; the channel is free text, since new ones may appear."""

    from_: str | None = Field(default=None, alias="from")
    channel: str


class Scenario(ResponseModel):
    """A stored scenario.

    :param key: opaque; what messages are sent with.
    """

    key: str = Field(min_length=1)
    name: str | None = None
    flow: tuple[SavedStep, ...] = ()
    default: bool | None = None


MAX_ROWS = 10_000
"""Rows of one answer. The API promises at most 1,000; more than this is not read, to keep time and memory bounded."""


class ScenarioList(ResponseModel):
    """The envelope of `GET /omni/1/scenarios`."""

    scenarios: Annotated[list[Scenario], FailFast()] = Field(max_length=MAX_ROWS)


# --- destinations ----------------------------------------------------------------------------------------------------


class Address(TypedModel):
    """Address of a message; at least one of the four. Its repr shows nothing."""

    phone_number: str | None = Field(default=None, repr=False, min_length=1)
    email_address: str | None = Field(default=None, repr=False, min_length=1)
    push_registration_id: str | None = Field(default=None, repr=False, min_length=1)
    whats_app_user_id: str | None = Field(default=None, repr=False, min_length=1, max_length=150)

    @model_validator(mode="after")
    def _some_address(self) -> Address:
        if not (self.phone_number or self.email_address or self.push_registration_id or self.whats_app_user_id):
            raise ValueError("needs phoneNumber, emailAddress, pushRegistrationId or whatsAppUserId")
        return self


class Destination(TypedModel):
    """One recipient of a request and the id that its message gets (made by the vendor when absent)."""

    to: Address
    message_id: str | None = Field(default=None, min_length=1, max_length=200)


# --- statuses --------------------------------------------------------------------------------------------------------


class Status(ResponseModel):
    """Status of a message. All members may be missing; `statuses.py` decides what it means."""

    group_id: int | None = None
    group_name: str | None = None
    id: int | None = None
    name: str | None = None
    description: str | None = Field(default=None, repr=False)


class ReportError(ResponseModel):
    """Reason of a failure: the network's or the handset's detail.

    :param permanent: True if repeating the same message would fail again; None if the vendor does not say.
    """

    group_id: int | None = None
    group_name: str | None = None
    id: int | None = None
    name: str | None = None
    description: str | None = Field(default=None, repr=False)
    permanent: bool | None = None


class Price(ResponseModel):
    """Price of one message part, as reported."""

    price_per_message: Decimal | None = None
    currency: str | None = None


# --- answers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One entry of the answer to a send. Match it by `message_id`, never by position or number.

    Not a pydantic model, and the status is shared by entries that have the same: a batch reads a million of these.

    :param to: the address as echoed, in the API's field names; hidden from repr.
    """

    message_id: str
    status: Status
    to: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SendResponse:
    """The answer to `POST /omni/1/advanced`: acceptance or refusal per recipient, never delivery."""

    messages: list[SentMessage]
    bulk_id: str | None = None


class Report(ResponseModel):
    """One delivery report: about one message on one channel. The vendor hands it out once.

    :param to: flat here, unlike in the answer to a send; hidden from repr.
    :param message_count: parts of an SMS.
    """

    message_id: str = Field(min_length=1)
    status: Status
    channel: str | None = None
    bulk_id: str | None = None
    to: str | None = Field(default=None, repr=False)
    sent_at: AwareDatetime | None = None
    done_at: AwareDatetime | None = None
    message_count: int | None = None
    mcc_mnc: str | None = None
    price: Price | None = None
    error: ReportError | None = None
    callback_data: str | None = Field(default=None, repr=False)


class LogRow(ResponseModel):
    """One row of the logs: about one message on one channel. Repeatable; without error and callback data."""

    message_id: str = Field(min_length=1)
    status: Status
    channel: str | None = None
    bulk_id: str | None = None
    from_: str | None = Field(default=None, alias="from")
    to: str | None = Field(default=None, repr=False)
    text: str | None = Field(default=None, repr=False)
    sent_at: AwareDatetime | None = None
    done_at: AwareDatetime | None = None
    message_count: int | None = None
    mcc_mnc: str | None = None
    price: Price | None = None


R = TypeVar("R")


class Rows(list[R]):
    """The rows of one answer that could be read.

    `skipped`: how many more it had. Whoever counts rows counts these too, and concludes nothing from what is not
    among the others: it may have been said in one of these. `said_at`: when, by the vendor's own clock (the answer's
    Date), in seconds since the epoch; None where it does not say.
    """

    skipped: int = 0
    said_at: float | None = None


def skipped_in(rows: Sequence[Any]) -> int:
    """Return the number of rows of an answer that could not be read."""
    return rows.skipped if isinstance(rows, Rows) else 0


def said_at(rows: Sequence[Any]) -> float | None:
    """Return the time of the vendor's answer, by its own clock; None if it does not say."""
    return rows.said_at if isinstance(rows, Rows) else None


class ReportPage(ResponseModel):
    """The envelope of `GET /omni/1/reports`."""

    results: Annotated[list[Report], FailFast()] = Field(max_length=MAX_ROWS)


class LogPage(ResponseModel):
    """The envelope of `GET /omni/1/logs`."""

    results: Annotated[list[LogRow], FailFast()] = Field(max_length=MAX_ROWS)


OPTIONAL_IN_ROWS = frozenset(
    {
        *("to", "text", "from", "channel", "bulkId", "callbackData", "error", "price"),
        *("sentAt", "doneAt", "messageCount", "mccMnc"),
    }
)
"""Members that a report or log row can do without: where one is unreadable, the row is read without it."""

__all__ = [
    "MAX_ROWS",
    "OPTIONAL_IN_ROWS",
    "Address",
    "Channel",
    "Destination",
    "LogPage",
    "LogRow",
    "NewScenario",
    "Price",
    "Report",
    "ReportError",
    "ReportPage",
    "ResponseModel",
    "Rows",
    "SavedStep",
    "Scenario",
    "ScenarioList",
    "ScenarioStep",
    "SendResponse",
    "SentMessage",
    "Status",
    "TypedModel",
    "skipped_in",
]
