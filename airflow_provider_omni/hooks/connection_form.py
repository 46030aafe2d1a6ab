"""The connection form of Airflow before 3.2: its fields, and what they refuse. Newer versions read `conn-fields`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_omni.hooks.connection import CONNECTION_TYPE


def widgets() -> dict[str, Any]:
    """Return the fields of the connection's extra, by name."""
    from flask_appbuilder.fieldwidgets import (  # type: ignore[import-not-found, unused-ignore]
        BS3PasswordFieldWidget,
        BS3TextAreaFieldWidget,
        BS3TextFieldWidget,
    )
    from wtforms import BooleanField, PasswordField, StringField  # type: ignore[import-untyped, unused-ignore]

    from airflow_provider_omni.get_provider_info import get_provider_info

    made: dict[str, Any] = {}
    for name, spec in get_provider_info()["connection-types"][0]["conn-fields"].items():
        schema = spec["schema"]
        words = {"description": spec["description"]}
        if "boolean" in schema["type"]:
            field = BooleanField(spec["label"], default=schema["default"], **words)
        else:
            kind, widget = {
                "password": (PasswordField, BS3PasswordFieldWidget),
                "multiline": (StringField, BS3TextAreaFieldWidget),
            }.get(schema.get("format", ""), (StringField, BS3TextFieldWidget))
            default = None if schema["default"] is None else str(schema["default"])
            field = kind(spec["label"], [_validator_of(name)], default=default, widget=widget(), **words)
        _make_parameter(field, spec)
        made[name] = field
    return made


def _validator_of(name: str) -> Callable[[Any, Any], None]:
    """Return what refuses a value of this option in the form of Airflow 2, which holds the fields of all types of
    connections at once.
    """

    def check(form: Any, field: Any) -> None:
        from wtforms import ValidationError

        from airflow_provider_omni.omni.config import NEVER_NULL, option_problems

        if form.data.get("conn_type") != CONNECTION_TYPE:
            return
        value = field.data or ""
        if name in NEVER_NULL and not str(value).strip():
            # Airflow 2 saves an emptied field as an option that is not set.
            raise ValidationError("Empty says neither 'everybody' nor 'nobody': write * for everybody, [] for nobody.")
        if value and (problems := option_problems(name, value)):
            raise ValidationError("; ".join(problems))

    return check


def _make_parameter(field: Any, spec: Mapping[str, Any]) -> None:
    """Give the field the rules of `conn-fields` in Airflow 3.0 and 3.1, whose form makes a parameter of each field, but
    knows texts, whole numbers and switches only.
    """
    parameter: Any = getattr(field, "param", None)
    if isinstance(getattr(parameter, "schema", None), dict):
        rules = {**spec["schema"], "title": spec["label"]}
        if spec["schema"]["default"] is None:
            rules.pop("minimum", None)  # an empty number is 0 there, and would be shown in red
        parameter.schema = rules
        parameter.value = spec["schema"]["default"]
