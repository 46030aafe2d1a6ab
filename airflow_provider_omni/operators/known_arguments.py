"""Names of arguments that do not exist, found before Airflow's own constructors see them: their error shows the values,
which may be numbers and texts.
"""

from __future__ import annotations

import difflib
import inspect
from functools import cache
from typing import Any, cast

from airflow_provider_omni.omni.channels import OTHER_CHANNELS
from airflow_provider_omni.omni.masking import shown_name

_MEANT = {
    **{"text": ("sms", "line"), "message": ("sms", "line"), "content": ("sms", "line")},
    **{"recipients": ("to",), "to": ("recipients",), "number": ("to", "recipients"), "phone": ("to", "phone_field")},
    **{"conn_id": ("omni_conn_id",), "scenario": ("scenario_key",)},
    **dict.fromkeys(map(str.lower, OTHER_CHANNELS), ("other_channels",)),
}
"""Arguments that somebody may have meant, by names that are unlike them."""


class KnownArguments:
    """Base of operators, sensor and notifier, to stand before Airflow's base class. Keeps unknown arguments from it;
    `refuse_slips` names them with all other mistakes.
    """

    unknown_arguments: tuple[str, ...] = ()
    """A line for each argument that does not exist."""

    def __init__(self, **kwargs: Any) -> None:
        known = _names(cast("Any", type(self)))
        # Airflow's own marks of a mapped task stand in no signature.
        unknown = [name for name in kwargs if name not in known and not name.startswith("_airflow")]
        if unknown:
            self.__dict__["unknown_arguments"] = tuple(_line(name, known) for name in unknown)
            kwargs = {name: value for name, value in kwargs.items() if name not in unknown}
        super().__init__(**kwargs)


@cache
def _names(kind: type[Any]) -> frozenset[str]:
    """Return the names of all arguments that the constructors of a class and of its bases take."""
    found: set[str] = set()
    for each in kind.__mro__:
        if "__init__" in vars(each) and each is not object:
            parameters = inspect.signature(vars(each)["__init__"]).parameters.values()
            found.update(one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY))
    return frozenset(found - {"self"})


def _line(name: str, known: frozenset[str]) -> str:
    meant = [each for each in _MEANT.get(name.lower(), ()) if each in known]
    meant = meant or difflib.get_close_matches(name, sorted(known), n=1)
    return f"{shown_name(name)}: unknown argument" + (f", did you mean {' or '.join(meant)}?" if meant else "")
