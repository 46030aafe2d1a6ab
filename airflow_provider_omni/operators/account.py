"""The account of a task, read so that what is wrong with its connection is told together with everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_omni.hooks.connection import read_connection_async
from airflow_provider_omni.omni.config import OmniConfig
from airflow_provider_omni.omni.errors import OmniConfigurationError, OmniInputError

if TYPE_CHECKING:
    from airflow_provider_omni.hooks.omni import OmniHook

_STAND_IN = OmniConfig(base_url="", authorization="")


@dataclass(frozen=True)
class Account:
    """An account, as far as its connection can be used.

    :param config: the connection. A stand-in with all defaults, if it cannot be used.
    :param error: the reason for which it cannot be used; None if it can.
    """

    config: OmniConfig
    error: OmniConfigurationError | None = None

    @classmethod
    def of(cls, hook: OmniHook) -> Account:
        """Read the connection of a hook."""
        try:
            return cls(hook.config)
        except OmniConfigurationError as error:
            return cls(_STAND_IN, error)

    @classmethod
    async def of_async(cls, omni_conn_id: str) -> Account:
        """Read a connection in an event loop."""
        try:
            return cls(await read_connection_async(omni_conn_id))
        except OmniConfigurationError as error:
            return cls(_STAND_IN, error)

    def refuse(self, message: str, problems: Sequence[str]) -> None:
        """Raise one error that names every problem, if there is any: those of the connection, then the others.

        :param message: the sentence for problems that are not the connection's.
        """
        others = list(dict.fromkeys(problems))
        if self.error is not None:
            named = {line.partition(":")[0] for line in self.error.problems}
            others = [line for line in others if line.partition(":")[0] not in named]
            raise OmniConfigurationError(
                self.error.message, problems=[*self.error.problems, *others], retryable=self.error.retryable
            ) from None
        if others:
            raise OmniInputError(message, problems=others)


NOBODYS = Account(_STAND_IN)
"""A stand-in where it does not matter which account is asked."""
