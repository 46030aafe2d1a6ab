"""Names of arguments that do not exist, and those that were meant. Values are never shown: they may be private."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, ParamSpec

from airflow_provider_omni.omni.channels import OTHER_CHANNELS
from airflow_provider_omni.omni.masking import shown_name

P = ParamSpec("P")

_MEANT = {
    **{"text": ("sms", "line"), "message": ("sms", "line"), "content": ("sms", "line")},
    **{"recipients": ("to",), "to": ("recipients",), "number": ("to", "recipients"), "phone": ("to", "phone_field")},
    **{"conn_id": ("omni_conn_id",), "scenario": ("scenario_key",)},
    **dict.fromkeys(map(str.lower, OTHER_CHANNELS), ("other_channels",)),
}
"""Arguments that somebody may have meant, by names that are unlike them."""


def unknown_argument(name: str, known: Collection[str], elsewhere: Mapping[str, str] | None = None) -> str:
    """Return the line about an argument that does not exist, with the one that was meant, if any is like it.

    :param known: the arguments that exist.
    :param elsewhere: what to say of arguments that only others have, by their names.
    """
    if elsewhere and name in elsewhere:
        return f"{name}: unknown argument, {elsewhere[name]}"
    meant = [each for each in _MEANT.get(name.lower(), ()) if each in known]
    meant = meant or difflib.get_close_matches(name, sorted(known), n=1)
    return f"{shown_name(name)}: unknown argument" + (f", did you mean {' or '.join(meant)}?" if meant else "")


def refusing_unknown(init: Callable[P, None]) -> Callable[P, None]:
    """Make a constructor raise OmniInputError for arguments that do not exist, in place of Python's TypeError."""
    known = [name for name in inspect.signature(init).parameters if name != "self"]

    @functools.wraps(init)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        if problems := [unknown_argument(name, known) for name in kwargs if name not in known]:
            from airflow_provider_omni.omni.errors import OmniInputError

            made: Any = args[0]
            raise OmniInputError(f"{type(made).__name__} cannot be used as it is.", problems=problems)
        init(*args, **kwargs)

    return checked
