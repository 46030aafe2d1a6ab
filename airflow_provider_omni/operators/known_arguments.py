"""Names of arguments that do not exist or are missing, found before Airflow's own constructors see them: their errors
have no code, come one by one, and show values, which may be numbers and texts.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, cast

from airflow_provider_omni.omni.known_arguments import unknown_argument

OURS = __name__.partition(".")[0]
"""The package. Constructors of other classes are none of our business."""


class KnownArguments:
    """Base of operators, sensor and notifier, to stand before Airflow's base class. Keeps unknown arguments from it,
    and takes None for missing ones; `refuse_slips` names them with all other mistakes.
    """

    misnamed_arguments: tuple[str, ...] = ()
    """A line for each argument that does not exist, or is missing."""
    arguments_elsewhere: ClassVar[Mapping[str, str]] = {}
    """Words about arguments that only other classes have, by their names."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Airflow wraps the constructor after this, and asks its signature which arguments are needed.
        if "__init__" in vars(cls) and cls.__module__.partition(".")[0] == OURS:
            cls.__init__ = _with_missing_told(vars(cls)["__init__"])  # type: ignore[method-assign]

    def __init__(self, **kwargs: Any) -> None:
        known = _names(cast("Any", type(self)))
        # Airflow's own marks of a mapped task stand in no signature.
        unknown = [name for name in kwargs if name not in known and not name.startswith("_airflow")]
        if unknown:
            _tell(self, [unknown_argument(name, known, self.arguments_elsewhere) for name in unknown])
            kwargs = {name: value for name, value in kwargs.items() if name not in unknown}
        super().__init__(**kwargs)


def own_arguments(kind: type[Any]) -> frozenset[str]:
    """Return the names of the arguments that this package's constructors of a class take, without Airflow's."""
    return _names(cast("Any", kind), ours=True)


def _with_missing_told(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that needs no argument: it notes those that are missing, and takes None for them."""
    signature = inspect.signature(init)
    needed = [
        name
        for name, each in signature.parameters.items()
        if each.kind is each.KEYWORD_ONLY and each.default is each.empty
    ]
    if not needed:
        return init

    @functools.wraps(init)
    def checked_init(self: Any, *args: Any, **kwargs: Any) -> None:
        missing = [name for name in needed if name not in kwargs]
        if missing:
            _tell(self, [f"{name}: missing" for name in missing])
        init(self, *args, **dict.fromkeys(missing), **kwargs)

    optional = [each.replace(default=...) if name in needed else each for name, each in signature.parameters.items()]
    checked_init.__signature__ = signature.replace(parameters=optional)  # type: ignore[attr-defined]
    return checked_init


def _tell(what: Any, lines: list[str]) -> None:
    # Airflow's operators do things of their own when an attribute is set.
    what.__dict__["misnamed_arguments"] = (*what.misnamed_arguments, *lines)


@cache
def _names(kind: type[Any], *, ours: bool = False) -> frozenset[str]:
    """Return the names of all arguments that the constructors of a class and of its bases take.

    :param ours: those of this package's classes only.
    """
    found: set[str] = set()
    for each in kind.__mro__:
        if "__init__" in vars(each) and each is not object and (not ours or each.__module__.partition(".")[0] == OURS):
            parameters = inspect.signature(vars(each)["__init__"]).parameters.values()
            found.update(one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY))
    return frozenset(found - {"self"})
