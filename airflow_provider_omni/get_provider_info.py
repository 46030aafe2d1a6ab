"""Facts for Airflow about this package: connection type, form, modules. Imports nothing: every process calls it."""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Infobip OMNI"

# The form of the connection, field by field; `omni/config.py` reads the same names and refuses every other. Each field
# shows its default; a cleared one (null) stands for it, too. `minimum`, `maximum` and `maxLength` are the limits that
# Airflow's form keeps to. A type without null is a field that must not be emptied.
_FIELDS: dict[str, dict[str, Any]] = {
    "auth_type": {
        "label": "Sign in with",
        "description": "Which of Infobip's three ways. An API key or a token goes into the password field above.",
        "schema": {
            "type": ["string", "null"],
            "default": "basic",
            "enum": ["basic", "app", "bearer"],
            "values_display": {
                "basic": "basic: login and password",
                "app": "app: an API key",
                "bearer": "bearer: a token",
            },
        },
    },
    "allowed_recipients": {
        "label": "Allowed recipients",
        "description": (
            "Who may be sent to, one number a line, with country code. Everybody else is left out: use it in test "
            "environments. * is everybody, [] nobody."
        ),
        # A text with lines, not a list: Airflow shows an empty field for a list that was saved as a text.
        "schema": {"type": "string", "default": "*", "format": "multiline"},
    },
    "allowed_countries": {
        "label": "Allowed countries",
        "description": (
            "Where may be sent to, by two letters with commas between, such as TH, SG. Numbers of other countries are "
            "left out. * is everywhere, [] nowhere."
        ),
        "schema": {"type": "string", "default": "*"},
    },
    "region": {
        "label": "Default country",
        "description": (
            "Two letters such as TH, for numbers that are written without a country code. Empty: such numbers are "
            "refused."
        ),
        "schema": {"type": ["string", "null"], "default": None, "maxLength": 2},
    },
    "number_check": {
        "label": "Number check",
        "description": (
            "Which numbers are sent to. Choose possible if a new range of numbers is refused although it exists."
        ),
        "schema": {
            "type": ["string", "null"],
            "default": "valid",
            "enum": ["valid", "possible"],
            "values_display": {
                "valid": "valid: of a range that its country uses",
                "possible": "possible: of the right length",
            },
        },
    },
    "connect_timeout": {
        "label": "Connect time-out (seconds)",
        "description": "How long making a connection may take. Nothing was sent then. 0.1 to 3600; default 10.",
        "schema": {"type": ["number", "null"], "default": 10, "minimum": 0.1, "maximum": 3600},
    },
    "read_timeout": {
        "label": "Read time-out (seconds)",
        "description": (
            "How long an answer may take. After it the logs are asked whether the message was taken. 0.1 to 3600; "
            "default 30."
        ),
        "schema": {"type": ["number", "null"], "default": 30, "minimum": 0.1, "maximum": 3600},
    },
    "requests_per_second": {
        "label": "Requests per second",
        "description": (
            "The most that one worker process makes, 0.01 or more. Empty: no limit. For all workers together use an "
            "Airflow pool."
        ),
        "schema": {"type": ["number", "null"], "default": None, "minimum": 0.01},
    },
    "max_connections": {
        "label": "Connections",
        "description": "How many requests one worker process may have under way at a time. 1 to 1000; default 8.",
        "schema": {"type": ["integer", "null"], "default": 8, "minimum": 1, "maximum": 1000},
    },
    "id_secret": {
        "label": "Secret of message ids",
        "description": (
            "Any text, made once and kept for ever, also when the password changes. Without it, numbers can be guessed "
            "from message ids by who knows your DAGs. Empty: none."
        ),
        "schema": {"type": ["string", "null"], "default": None, "format": "password"},
    },
    "trust_duplicate_rejection": {
        "label": "Infobip refuses repeated ids",
        "description": (
            "Switch on only if you have checked that your account answers a repeated messageId with status 23. What is "
            "in doubt is then sent again under its id instead of failing the task. Default: off."
        ),
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "allow_plain_http": {
        "label": "Allow http to other machines",
        "description": "For a simulator in a container: the password can be read on its way. Default: off.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
}

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": [],
    "relabeling": {
        "host": "Base URL of the account",
        "schema": "Scheme",
        "login": "Login",
        "password": "Password, API key or token",
    },
    "placeholders": {
        "host": "xyz123.api.infobip.com",
        "schema": "https",
        "port": "443; type it in: without one, Test of a saved connection fails",
        "login": "user name; not needed for an API key or token",
    },
}
"""Shared with `OmniHook.get_ui_field_behaviour`, which Airflow before 3.2 asks instead."""


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description in the form of Airflow's `provider_info.schema.json`."""
    modules: dict[str, list[dict[str, Any]]] = {
        room: [{"integration-name": _INTEGRATION, "python-modules": [f"airflow_provider_omni.{room}.omni"]}]
        for room in ("hooks", "operators", "sensors", "triggers")
    }
    modules["operators"][0]["python-modules"].append("airflow_provider_omni.operators.batch")
    return {
        "package-name": "airflow-provider-omni",
        "name": "Infobip OMNI",
        "description": "LINE messages with SMS failover through Infobip's OMNI API: nobody twice, no outcome lost.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://www.infobip.com/docs/api/channels/omni-failover",
                "tags": ["service"],
            }
        ],
        **modules,
        "transfers": [
            {
                "source-integration-name": "Common SQL",
                "target-integration-name": _INTEGRATION,
                "python-module": "airflow_provider_omni.transfers.sql_to_omni",
            }
        ],
        "connection-types": [
            {
                "connection-type": "omni",
                "hook-class-name": "airflow_provider_omni.hooks.omni.OmniHook",
                "hook-name": "Infobip OMNI",
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": _FIELDS,
            }
        ],
        # Read by Airflow 3.2 and later; older ones pass over it.
        "cli": ["airflow_provider_omni.cli.definitions.get_omni_cli_commands"],
        "task-decorators": [
            {"name": name, "class-name": f"airflow_provider_omni.decorators.omni.{name}"}
            for name in ("omni_send", "omni_batch")
        ],
        "notifications": ["airflow_provider_omni.notifications.omni.OmniNotifier"],
        "config": {
            "omni": {
                "description": "Options of the provider for Infobip OMNI.",
                "options": {
                    "show_texts": {
                        "description": (
                            "Show texts, and what was filled into them, among the rendered templates of tasks that "
                            "send. Everybody who may see the DAG can then read them. Phone numbers in `to` and "
                            "`recipients` stay hidden."
                        ),
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "False",
                    },
                    "callback_data": {
                        "description": (
                            "Give the ids of DAG, run and task to Infobip as the callback data of messages for which "
                            "the task names none, so that its portal and pushed reports can be searched by DAG. Phone "
                            "numbers in the ids are masked. Off: no callback data but what tasks name."
                        ),
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "True",
                    },
                    "delivery_tabs": {
                        "description": (
                            "Show the tab 'Delivery' on Airflow 3.1 to 3.3, too. There it stands on the page of every "
                            "task instance, whatever its operator. Airflow 3.4 and later show it for ours only, and "
                            "need no option."
                        ),
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "False",
                    },
                },
            },
        },
    }
