"""The hook: an Airflow connection on one side, the OMNI client on the other.

`omni/` builds requests and reads answers; `hooks/connection.py` reads the connection; `hooks/scenarios.py` decides
which scenario to use. Nothing here reads a connection, or imports anything heavy, before the first call.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_omni.get_provider_info import UI_FIELD_BEHAVIOUR
from airflow_provider_omni.hooks.connection import (
    CONNECTION_TYPE,
    DEFAULT_CONN_ID,
    read_connection,
    read_connection_async,
)
from airflow_provider_omni.omni.known_arguments import refusing_unknown
from airflow_provider_omni.omni.problems import unexpected

if TYPE_CHECKING:
    from airflow_provider_omni.hooks.results import Result
    from airflow_provider_omni.omni.aio import AsyncOmniClient
    from airflow_provider_omni.omni.api import Call
    from airflow_provider_omni.omni.client import OmniClient
    from airflow_provider_omni.omni.config import OmniConfig
    from airflow_provider_omni.omni.content import AdvancedRequest
    from airflow_provider_omni.omni.models import Scenario

T = TypeVar("T")

SCENARIO_PAGE = 100
"""Scenarios asked for at a time. A shorter page is the last one."""
MAX_SCENARIO_PAGES = 1000
"""Pages of scenarios that are read, at most. Bounds the read if a server never gives a short page."""


class OmniHook(BaseHook):
    """Talks to Infobip's OMNI failover API with the account of an Airflow connection.

    Reads that may be repeated are repeated a few times when they fail; a send and a read of reports never are. Every
    method raises errors of `airflow_provider_omni.omni.errors`.

    Methods return dicts, or lists of dicts, which a task may return to the next one: numbers are masked in them, texts
    and callback data left out. Members can be read as attributes, too; `row.to` is the number itself.

    :param omni_conn_id: a connection of type `omni`, read at the first call; docs/connection.md describes it. Default
        `omni_default`.
    """

    conn_name_attr = "omni_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = CONNECTION_TYPE
    hook_name = "Infobip OMNI"

    @refusing_unknown
    def __init__(self, omni_conn_id: str = DEFAULT_CONN_ID) -> None:
        super().__init__()
        self.omni_conn_id = omni_conn_id
        self._config: OmniConfig | None = None
        self._client: OmniClient | None = None

    # -- the connection ----------------------------------------------------------------------------------------------

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the labels of the connection form, for Airflow before 3.2."""
        return {key.replace("-", "_"): value for key, value in UI_FIELD_BEHAVIOUR.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the connection form, for Airflow before 3.2. They are those of `conn-fields`."""
        from airflow_provider_omni.hooks.connection_form import widgets

        return widgets()

    @property
    def config(self) -> OmniConfig:
        """The connection, read once and checked, with its secrets registered with Airflow's masker.

        Raises `OmniConfigurationError` that names every problem.
        """
        if self._config is None:
            self._config = read_connection(self.omni_conn_id, self.get_connection)
        return self._config

    def get_conn(self) -> OmniClient:
        """Return the client. Each hook has one, made at the first call. `close` ends its connections."""
        if self._client is None:
            from airflow_provider_omni.hooks.metrics import observer_of_calls
            from airflow_provider_omni.omni.client import OmniClient

            self._client = OmniClient(self.config, observe=observer_of_calls())
        return self._client

    def close(self) -> None:
        """Close the client's connections. The next call opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> OmniHook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def test_connection(self) -> tuple[bool, str]:
        """List one scenario: costs nothing, changes nothing, takes no report. Returns success and a sentence."""
        from airflow_provider_omni.hooks.diagnosis import ALL_IS_WELL, diagnose
        from airflow_provider_omni.omni import api
        from airflow_provider_omni.omni.errors import OmniError

        call = api.list_scenarios(limit=1)
        try:
            self.get_conn().execute(call)
        except OmniError as error:
            return diagnose(error, call, self._config)
        finally:
            self.close()
        return True, ALL_IS_WELL

    # -- scenarios ---------------------------------------------------------------------------------------------------

    def create_scenario(self, name: str, flow: Sequence[Any], default: bool = False) -> Result:
        """Create a scenario, even if there is one of that name.

        :param name: name of the scenario.
        :param flow: steps such as `{"channel": "LINE", "from": "InfoLine"}`, tried in this order.
        :param default: make it the account's default. Default False.
        """
        from airflow_provider_omni.hooks.results import result_of
        from airflow_provider_omni.omni import api
        from airflow_provider_omni.omni.validation import check_scenario

        return cast("Result", result_of(self._execute(api.create_scenario(check_scenario(name, flow, default)))))

    def list_scenarios(self, is_default: bool | None = None) -> list[Result]:
        """Return all scenarios of the account, page after page.

        :param is_default: only scenarios with this value of `default`. None (default): all.
        """
        from airflow_provider_omni.hooks.results import result_of

        return cast("list[Result]", result_of(self._scenarios(is_default)))

    def _scenarios(self, is_default: bool | None = None) -> list[Scenario]:
        from airflow_provider_omni.omni import api
        from airflow_provider_omni.omni.errors import OmniProtocolError

        found: list[Scenario] = []
        for page in range(MAX_SCENARIO_PAGES):
            rows = self._execute(api.list_scenarios(page, SCENARIO_PAGE, is_default))
            found += rows
            if len(rows) < SCENARIO_PAGE:
                return found
        raise OmniProtocolError(f"The list of scenarios does not end after {MAX_SCENARIO_PAGES} pages.")

    def get_scenario(self, key: str) -> Result:
        """Return one scenario."""
        from airflow_provider_omni.hooks.results import result_of
        from airflow_provider_omni.omni import api

        return cast("Result", result_of(self._execute(api.get_scenario(key))))

    def update_scenario(self, key: str, name: str, flow: Sequence[Any], default: bool = False) -> Result:
        """Replace a scenario, for everybody who sends with it."""
        from airflow_provider_omni.hooks.results import result_of
        from airflow_provider_omni.omni import api
        from airflow_provider_omni.omni.validation import check_scenario

        return cast("Result", result_of(self._execute(api.update_scenario(key, check_scenario(name, flow, default)))))

    def ensure_scenario(
        self, name: str, flow: Sequence[Any], default: bool = False, if_exists: str = "reuse"
    ) -> Result:
        """Return a scenario with this name and flow, and create it only if there is none.

        :param name: name of the scenario.
        :param flow: steps such as `{"channel": "LINE", "from": "InfoLine"}`, tried in this order.
        :param default: make it the account's default. Default False.
        :param if_exists: `reuse` (default): a scenario of this name and flow is used; this name with another flow is an
            error. `update`: the flow of that name is replaced. `create`: always a new one, also on a retry of the task.
        """
        from airflow_provider_omni.hooks.results import result_of

        return cast("Result", result_of(self._ensured(name, flow, default, if_exists)))

    def _ensured(self, name: str, flow: Sequence[Any], default: bool, if_exists: str) -> Scenario:
        from airflow_provider_omni.hooks.scenarios import Create, Replace, Reuse, decide
        from airflow_provider_omni.omni import api
        from airflow_provider_omni.omni.errors import Effect, OmniError
        from airflow_provider_omni.omni.validation import check_scenario

        wanted = check_scenario(name, flow, default)
        existing = [] if if_exists == "create" else self._scenarios()
        match decide(existing, wanted, if_exists):
            case Reuse(scenario):
                return scenario
            case Replace(key, scenario_to_be):
                return self._execute(api.update_scenario(key, scenario_to_be))
            case Create(scenario_to_be):
                try:
                    return self._execute(api.create_scenario(scenario_to_be))
                except OmniError as error:
                    if error.effect is Effect.NONE or if_exists == "create":
                        raise
                    # The answer was lost: the list tells if the scenario was created.
                    again = decide(self._scenarios(), wanted, if_exists)
                    if isinstance(again, Reuse):
                        return again.scenario
                    raise

    # -- messages ----------------------------------------------------------------------------------------------------

    def send_advanced(self, request: AdvancedRequest | Mapping[str, Any]) -> Result:
        """Post one request, exactly once. After an error with `effect` UNKNOWN it may have been sent.

        `OmniSendMessageOperator` handles that case; this method does not. The request is refused as a whole if a
        recipient is not in the connection's `allowed_recipients`, or belongs to no country of its `allowed_countries`.

        :param request: the API's own JSON object, or its model.
        """
        from airflow_provider_omni.hooks.results import result_of
        from airflow_provider_omni.omni import api

        checked = _request_of(request)
        self._keep_to_the_guard(checked)
        return cast("Result", result_of(self.get_conn().execute(api.send_advanced(checked))))

    def _keep_to_the_guard(self, request: AdvancedRequest) -> None:
        guard, config = _guard_of(self.config), self.config
        if guard is None and config.allowed_countries is None:
            return
        from airflow_provider_omni.delivery.recipients.guard import lets_through, rules_of
        from airflow_provider_omni.omni.errors import OmniInputError

        # The vendor gets these numbers as they are written, so each is read as beginning with its country code.
        rules = replace(rules_of(config), region=None)
        among = "allowed_countries" if guard is None else "allowed_recipients"
        among = among if guard is None or config.allowed_countries is None else f"{among} or allowed_countries"
        problems = [
            unexpected(f"destinations[{index}]", "another recipient", f"only those of the connection's {among}")
            for index, each in enumerate(request.destinations)
            if not lets_through(guard, each.to, rules, as_written=True)
        ]
        if problems:
            raise OmniInputError("The request cannot be sent as it is; nothing was sent.", problems=problems[:50])

    def get_reports(
        self,
        *,
        bulk_id: str | None = None,
        message_id: str | None = None,
        channel: str | None = None,
        limit: int = 1000,
    ) -> list[Result]:
        """Read delivery reports. **Each is handed out once**: no sensor will see a report that this method returns.

        Without `bulk_id` or `message_id` it takes the reports of everybody who uses the account.

        :param bulk_id: only reports of this request.
        :param message_id: only reports of this message.
        :param channel: only reports of this channel.
        :param limit: reports to read, at most. Default 1000.
        """
        from airflow_provider_omni.omni import api

        if bulk_id is None and message_id is None:
            self.log.warning("Reading reports without a filter: they are taken from everybody who uses this account.")
        call = api.get_reports(bulk_id=bulk_id, message_id=message_id, channel=channel, limit=limit)
        return self._whole(self.get_conn().execute(call))

    def get_logs(
        self,
        *,
        bulk_ids: Sequence[str] = (),
        message_ids: Sequence[str] = (),
        channel: str | None = None,
        general_status: str | None = None,
        sent_since: datetime | None = None,
        sent_until: datetime | None = None,
        limit: int = 1000,
    ) -> list[Result]:
        """Read the logs of the last 48 hours. They can be read repeatedly. The vendor allows 120 calls a minute.

        :param bulk_ids: only rows of these requests.
        :param message_ids: only rows of these messages.
        :param channel: only rows of this channel.
        :param general_status: only rows with this status group.
        :param sent_since: only rows sent at this time or later.
        :param sent_until: only rows sent up to this time.
        :param limit: rows to read, at most. Default 1000.
        """
        from airflow_provider_omni.omni import api

        call = api.get_logs(
            bulk_ids=bulk_ids,
            message_ids=message_ids,
            channel=channel,
            general_status=general_status,
            sent_since=sent_since,
            sent_until=sent_until,
            limit=limit,
        )
        return self._whole(self._execute(call))

    def _whole(self, rows: list[Any]) -> list[Result]:
        from airflow_provider_omni.hooks.results import result_of
        from airflow_provider_omni.omni.models import skipped_in

        if skipped := skipped_in(rows):
            self.log.warning("%s row(s) of the answer could not be read and were left out.", skipped)
        return cast("list[Result]", result_of(rows))

    def _execute(self, call: Call[T]) -> T:
        from airflow_provider_omni.omni.retries import call_with_retries

        execute: Callable[[Call[T]], T] = self.get_conn().execute
        return call_with_retries(execute, call)


@contextlib.asynccontextmanager
async def shared_async_client(omni_conn_id: str) -> AsyncIterator[AsyncOmniClient]:
    """Give an async client for this connection, shared by everybody in this event loop who uses it at the same time.

    So all triggers of a connection in a triggerer use one session and its kept-alive connections. The last to leave
    closes it. A changed connection gets a client of its own.
    """
    from airflow_provider_omni.hooks.metrics import observer_of_calls
    from airflow_provider_omni.omni.aio import shared_client

    async with shared_client(await read_connection_async(omni_conn_id), observer_of_calls()) as client:
        yield client


def _guard_of(config: OmniConfig) -> frozenset[str] | None:
    """Return the numbers that may be sent to; None for everybody."""
    if config.allowed_recipients is None:
        return None
    from airflow_provider_omni.delivery.recipients.guard import read_guard

    return read_guard(config.allowed_recipients, config.region)


def _request_of(request: AdvancedRequest | Mapping[str, Any]) -> AdvancedRequest:
    from airflow_provider_omni.omni.content import AdvancedRequest

    if isinstance(request, AdvancedRequest):
        return request
    from airflow_provider_omni.hooks.request_body import read_body

    return read_body(request)
