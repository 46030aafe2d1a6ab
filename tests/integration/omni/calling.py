"""Calls with either client. No fixture and no test lives here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from airflow_provider_omni.omni.aio import AsyncOmniClient
from airflow_provider_omni.omni.api import Call
from airflow_provider_omni.omni.client import OmniClient
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.omni.errors import OmniError

Run = Callable[..., list[Any]]
"""Executes calls one after the other on one client; errors are results like any other."""


def config(url: str, **changes: Any) -> OmniConfig:
    return OmniConfig.from_connection(
        url, None, None, "demo", "secret-word", {"connect_timeout": 2, "read_timeout": 2, **changes}
    )


def run_sync(settings: OmniConfig, *calls: Call[Any]) -> list[Any]:
    results: list[Any] = []
    with OmniClient(settings) as client:
        for call in calls:
            try:
                results.append(client.execute(call))
            except OmniError as error:
                results.append(error)
    return results


def run_async(settings: OmniConfig, *calls: Call[Any]) -> list[Any]:
    async def run() -> list[Any]:
        results: list[Any] = []
        async with AsyncOmniClient(settings) as client:
            for call in calls:
                try:
                    results.append(await client.execute(call))
                except OmniError as error:
                    results.append(error)
        return results

    return asyncio.run(run())
