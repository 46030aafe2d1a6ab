"""Arguments that hold phone numbers and texts: rendered like any other template field, and never shown.

Airflow stores the rendered template fields of a task, and shows them to everybody who may see the DAG. A descriptor
hides numbers and texts from that table, and still lets Airflow see what it needs in a DAG file: XComArgs (for
dependencies), templates (for rendering), callables. A hidden value keeps its shape: `{"text": "Dear Ann"}` is shown as
`{"text": "<text, 8 characters>"}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any, ClassVar, overload

from airflow_provider_omni.omni.channels import is_model, model_problems
from airflow_provider_omni.omni.ids import id_of, may_be_an_id
from airflow_provider_omni.omni.masking import SHOWN, mask_number, mask_numbers_in
from airflow_provider_omni.omni.unfilled import is_template
from airflow_provider_omni.operators.shown_sql import shown_sql

_NUMBER = re.compile(r"\s*\+?[0-9][0-9 ().\-/]*")
_WRITTEN_LIST = re.compile(r"\[[\s'\"+0-9,().\-/]*\]")
"""A list of numbers, as a template renders it."""
_WORD = re.compile(r"[A-Za-z][A-Za-z_/]{0,39}")
"""A word of the API, such as `TEXT` or `application/json`."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.+\-Z]*")
_LONGEST_NAME = 64
"""Characters of a shown member's name, at most. A longer one, or one with a sign or many digits, may be private."""
_PLACEHOLDER = re.compile(r"(?<!\{)\{([^\W\d][^\s{}]*)\}(?!\})")
_HOST = re.compile(r"(https?)://(?:[^/?#@\s]*@)?([^/?#@\s]+)", re.IGNORECASE)
MOST_PLACEHOLDERS = 5
"""Placeholders that are shown for one text, at most."""
DEEPEST = 100
"""Levels of an object that are walked through. `omni/json_check.py` refuses objects with more."""


class Masked:
    """A value that may be a phone number. `str`, `repr` and so the table of rendered templates show it masked.

    It is not a text itself: code that renders a text again would take the description for the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def unmask(self) -> Any:
        """Return the value itself. The caller must neither log nor store it."""
        return self._value

    def __repr__(self) -> str:
        value = self._value
        if isinstance(value, str | int) and _NUMBER.fullmatch(str(value)):
            return mask_number(str(value))
        if isinstance(value, str) and _WRITTEN_LIST.fullmatch(value):
            return mask_numbers_in(value)
        return "…" if isinstance(value, str) else f"<{type(value).__name__}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Masked) and self._value == other._value

    def __hash__(self) -> int:
        return hash(repr(self))


class MaskedText(Masked):
    """A value that may be a text, a name or a code. Shown as its kind and length, or unchanged if the configuration
    sets `[omni] show_texts`.
    """

    __slots__ = ()
    may_be_shown: ClassVar[bool] = True

    def describe(self) -> str:
        """Return the text that is shown for the value."""
        value = self._value
        if isinstance(value, str):
            kind = "blank text" if not value.strip() else "URL" if _HOST.match(value) else "text"
            size = f"{len(value):,} character{'' if len(value) == 1 else 's'}"
            return "<empty text>" if not value else f"<{', '.join([kind, size, *_placeholders(value)])}>"
        return "<number>" if isinstance(value, int | float) else f"<{type(value).__name__}>"

    def __repr__(self) -> str:
        return repr(self._value) if self.may_be_shown and texts_are_shown() else self.describe()

    def __str__(self) -> str:
        return str(self._value) if self.may_be_shown and texts_are_shown() else self.describe()


class MaskedKey(MaskedText):
    """An `idempotency_key`. Shown without the numbers in it."""

    __slots__ = ()
    may_be_shown = False

    def describe(self) -> str:
        """Return the text that is shown for the value."""
        return mask_numbers_in(self._value) if isinstance(self._value, str) else super().describe()


class MaskedUrl(MaskedText):
    """A URL. Only its host is shown: path, query and login may hold tokens and numbers."""

    __slots__ = ()
    may_be_shown = False

    def describe(self) -> str:
        """Return the text that is shown for the value."""
        found = _HOST.match(self._value) if isinstance(self._value, str) else None
        return f"{found[1]}://{mask_numbers_in(found[2])}/…" if found else super().describe()


class MaskedSql(MaskedText):
    """A query. Shown without quoted pieces, comments and numbers."""

    __slots__ = ()

    def describe(self) -> str:
        """Return the text that is shown for the value."""
        return shown_sql(self._value) if isinstance(self._value, str) else super().describe()


class MaskedParameter(MaskedText):
    """A parameter's value of a query. Never shown: Airflow's OpenLineage provider reports what an operator has under
    the name `parameters`, to systems that others run.
    """

    __slots__ = ()
    may_be_shown = False


def texts_are_shown() -> bool:
    """Return True if the configuration wants texts among the rendered templates. A setting that is no flag counts as
    False, and fails no task, because it is read while something is shown.
    """
    from airflow.providers.common.compat.sdk import conf

    try:
        return bool(conf.getboolean("omni", "show_texts", fallback=False))
    except Exception:  # noqa: BLE001  whatever Airflow raises for what is no flag
        return False


def mask(value: Any, rendered: bool = False) -> Any:
    """Mask every final value that may be a number; leave the containers.

    :param value: a value, or containers of values.
    :param rendered: True if Airflow has rendered the value, so that no text is a template any more. False: values that
        Airflow still has to render or resolve are left, too.
    """
    if value is None or isinstance(value, Masked) or (not rendered and _is_for_airflow(value)):
        return value
    if isinstance(value, str):
        return value if not rendered and is_template(value) else Masked(value)
    if isinstance(value, Mapping):
        return {_masked_name(name): mask(item, rendered) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask(item, rendered) for item in value]
    return Masked(value)


def mask_texts(
    value: Any,
    hidden: type[MaskedText] = MaskedText,
    shown: frozenset[str] = SHOWN,
    member: Any = "",
    depth: int = 0,
) -> Any:
    """Mask every value in a rendered object; leave the containers, and plain values of members that hold nothing
    personal.

    :param value: a value, or containers of values.
    :param hidden: class of the hidden values, which decides how they are shown.
    :param shown: names of the members that hold nothing personal.
    :param member: name of the member that the value stands under.
    :param depth: level of the value.
    """
    if value is None or isinstance(value, bool | Masked) or (member in shown and _is_plain(value)):
        return value
    if depth < DEEPEST and isinstance(value, Mapping):
        return {_masked_name(name): mask_texts(item, hidden, shown, name, depth + 1) for name, item in value.items()}
    if depth < DEEPEST and isinstance(value, list | tuple):
        items = (mask_texts(item, hidden, shown, "", depth + 1) for item in value)
        return tuple(items) if isinstance(value, tuple) else list(items)
    return hidden(value)


def unmask(value: Any) -> Any:
    """Undo `mask` and `mask_texts`."""
    if isinstance(value, Masked):
        return value.unmask()
    if isinstance(value, Mapping):
        return {unmask(name): unmask(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        items = (unmask(item) for item in value)
        return tuple(items) if isinstance(value, tuple) else list(items)
    return value


def mask_ids(value: Any, rendered: bool = False) -> Any:
    """Mask what is no id, such as a phone number that was given for one; leave the containers and the ids."""
    if isinstance(value, set | frozenset):
        value = sorted(value, key=repr)
    if isinstance(value, list | tuple):
        items = (mask_ids(item, rendered) for item in value)
        return tuple(items) if isinstance(value, tuple) else list(items)
    return value if _are_ids(value) else mask(value, rendered)


def _are_ids(value: Any) -> bool:
    """Return True for an id, and for a text with a list of ids."""
    if not isinstance(value, str) or may_be_an_id(value):
        return may_be_an_id(id_of(value))
    from airflow_provider_omni.omni.errors import OmniInputError
    from airflow_provider_omni.omni.written import read_ids

    try:
        return bool(read_ids("", value))
    except OmniInputError:
        return False


def mask_receipt(value: Any, member: Any = "", depth: int = 0) -> Any:
    """Mask whatever a rendered receipt cannot hold; leave ids, counts, channels, times, and a ledger's path.

    :param member: name of the member that the value stands under.
    :param depth: level of the value.
    """
    if value is None or isinstance(value, bool | Masked) or _is_of_a_receipt(member, value):
        return value
    if depth < DEEPEST and isinstance(value, Mapping):
        return {_masked_name(name): mask_receipt(item, name, depth + 1) for name, item in value.items()}
    if depth < DEEPEST and isinstance(value, list | tuple):
        items = (mask_receipt(item, member, depth + 1) for item in value)
        return tuple(items) if isinstance(value, tuple) else list(items)
    return MaskedText(value)


def _is_of_a_receipt(member: Any, value: Any) -> bool:
    if isinstance(value, str):
        is_fit = _OF_RECEIPTS.get(member)
        return is_fit is not None and is_fit(value)
    return member in _COUNTS and isinstance(value, int | float) and abs(value) < 10**7


def _is_path(text: str) -> bool:
    return text.startswith(("/", "~")) or "://" in text


_COUNTS = frozenset(
    {
        "messages", "requested", "accepted", "unconfirmed", "rejected", "quarantined", "duplicates", "suppressed",
        "validity_seconds",
    }
)  # fmt: skip
_OF_RECEIPTS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("scenario_key", "bulk_id", "message_id", "message_ids", "account"), may_be_an_id),
    "flow": _WORD.fullmatch,
    **dict.fromkeys(("sent_at", "send_at"), _TIME.fullmatch),
    "ledger_path": _is_path,
}
"""Members of receipts that are texts, each with what tells that a text is one."""


def _is_for_airflow(value: Any) -> bool:
    return callable(value) or callable(getattr(value, "resolve", None))


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return _WORD.fullmatch(value) is not None
    return isinstance(value, int | float) and abs(value) < 10**7


def _masked_name(name: Any) -> Any:
    is_name = isinstance(name, str) and name.isidentifier() and len(name) <= _LONGEST_NAME
    return name if is_name and sum(sign.isdigit() for sign in name) < 5 else Masked(unmask(name))


def _placeholders(text: str) -> list[str]:
    names = dict.fromkeys(name for name in _PLACEHOLDER.findall(text) if _masked_name(name) is name)
    shown = [f"{{{name}}}" for name in names][:MOST_PLACEHOLDERS]
    return [*shown, "…"] if len(names) > MOST_PLACEHOLDERS else shown


def _without_models(value: Any, depth: int = 0) -> Any:
    """Return the object with models as JSON objects, since Airflow renders no template within a model.

    An object without models is returned itself, not as a copy: Airflow tells by identity that it comes from another
    task, and does not render it.
    """
    if is_model(value):
        return value.to_wire()
    if type(value) is dict and depth < DEEPEST:
        items = {name: _without_models(item, depth + 1) for name, item in value.items()}
        return items if any(items[name] is not value[name] for name in value) else value
    if type(value) in (list, tuple) and depth < DEEPEST:
        each = [_without_models(item, depth + 1) for item in value]
        return type(value)(each) if any(new is not old for new, old in zip(each, value, strict=True)) else value
    return value


class MaskedField:
    """A template field of an operator or notifier whose value is hidden as soon as it is known.

    Airflow assigns the rendered value to the attribute as the constructor assigned the template, so hiding at
    assignment works on all versions, for mapped tasks too. `MaskedFields` then hides what still looks like a template.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = f"_private_{name}"
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> MaskedField: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Any: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is None:
            return self
        try:
            return instance.__dict__[self._attribute]
        except KeyError:
            raise AttributeError(self.name) from None

    def __set__(self, instance: object, value: Any) -> None:
        # The given value is kept, since Airflow knows by its identity that it is another task's data.
        instance.__dict__[f"{self._attribute}_given"] = value
        instance.__dict__[self._attribute] = self.when_given(value)

    def when_given(self, value: Any) -> Any:
        """Return the form in which a value is kept that Airflow may still have to render."""
        return mask(value)

    def when_rendered(self, value: Any) -> Any:
        """Return the form in which a value is kept when nothing in it is a template any more."""
        return mask(value, rendered=True)

    def is_data(self, instance: object, seen_oids: Iterable[int]) -> bool:
        """Return True if another task has returned the value. Then a template in it is data."""
        kept = (instance.__dict__.get(f"{self._attribute}_given"), instance.__dict__.get(self._attribute))
        return any(id(value) in seen_oids for value in kept if value is not None)

    def finish(self, instance: object) -> None:
        """Mask everything that is left."""
        instance.__dict__.pop(f"{self._attribute}_given", None)
        if self._attribute in instance.__dict__:
            instance.__dict__[self._attribute] = self.when_rendered(instance.__dict__[self._attribute])


class TextField(MaskedField):
    """A template field with texts, which are hidden when Airflow has rendered them.

    Before that they are the DAG author's own words, which Airflow stores anyway. If they were hidden earlier, two
    versions of a DAG would look equal to Airflow, and it would miss the newer one.
    """

    def __init__(self, hidden: type[MaskedText] = MaskedText, shown: frozenset[str] = SHOWN) -> None:
        self._hidden = hidden
        self._shown = shown

    def when_given(self, value: Any) -> Any:
        """Return the value with models as JSON objects. Models of another channel stay, and so are told apart from the
        argument's own objects.
        """
        return value if model_problems(self.name, value) else _without_models(value)

    def when_rendered(self, value: Any) -> Any:
        """Return the value's shape."""
        return mask_texts(value, self._hidden, self._shown)


class IdsField(MaskedField):
    """A template field with ids, which are shown. Anything else is hidden."""

    def when_given(self, value: Any) -> Any:
        """Return the form in which a value is kept that Airflow may still have to render."""
        return mask_ids(value)

    def when_rendered(self, value: Any) -> Any:
        """Return the form in which a value is kept when nothing in it is a template any more."""
        return mask_ids(value, rendered=True)


class ReceiptField(MaskedField):
    """A template field with a receipt or a list of them, of which whatever does not belong there is hidden once it is
    rendered.
    """

    def when_given(self, value: Any) -> Any:
        """Return the value: until it is rendered, it is the DAG author's own."""
        return value

    def when_rendered(self, value: Any) -> Any:
        """Return the receipt, as far as it is one."""
        return mask_receipt(value)


def _given_by_a_task(operator: Any, context: Any) -> frozenset[str]:
    """Return the arguments that come from a dict of another task, as with `expand_kwargs(task.output)`.

    Airflow takes the texts of such a dict for data, but renders the objects and lists in it as templates, although a
    person may have typed their content.
    """
    dag = getattr(operator, "dag", None) if getattr(operator, "has_dag", lambda: True)() else None
    mapped: Any = getattr(dag, "task_dict", {}).get(getattr(operator, "task_id", None))
    if not is_of_a_task(getattr(getattr(mapped, "expand_input", None), "value", None), context):
        return frozenset()
    return frozenset(operator.template_fields) - frozenset(mapped.partial_kwargs)


def is_of_a_task(given: Any, context: Any) -> bool:
    """Return True if what `expand_kwargs` was given for this copy of a mapped task comes from another task.

    :param given: the argument of `expand_kwargs`, or of `expand`; None if the task is not mapped.
    """
    if given is None or isinstance(given, Mapping):
        return False
    if not isinstance(given, Sized):
        return True
    index = getattr(context.get("ti"), "map_index", -1)
    entries: Any = given
    return 0 <= index < len(entries) and not isinstance(entries[index], Mapping)


class MaskedFields:
    """Base of an operator or notifier with private fields, to stand before its Airflow base class. Hides the fields
    once they are rendered.
    """

    emptied: tuple[str, ...] = ()
    """Template fields that were given and came out as None."""

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Any, jinja_env: Any, seen_oids: set[int]
    ) -> None:
        """Render as Airflow does, and mask the outcome. All versions of Airflow come by here, also for mapped tasks."""
        given: Any = super()
        template_fields = list(template_fields)
        fields = [getattr(type(parent), name, None) for name in template_fields] if parent is self else []
        private = [field for field in fields if isinstance(field, MaskedField)]
        filled = [name for name in template_fields if getattr(parent, name, None) is not None]
        of_a_task = _given_by_a_task(self, context) if private else frozenset()
        for field in private:
            if field.name in of_a_task or field.is_data(parent, seen_oids):
                field.finish(parent)
        given._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        if parent is self:
            self.emptied = tuple(name for name in filled if getattr(parent, name, None) is None)
        for field in private:
            field.finish(parent)

    def set_rendered(self, values: Mapping[str, Any]) -> None:
        """Set template fields to values that are no templates, and hide them."""
        for name, value in values.items():
            setattr(self, name, value)
            field = getattr(type(self), name, None)
            if isinstance(field, MaskedField):
                field.finish(self)
        self.emptied = tuple(name for name in self.emptied if name not in values)
