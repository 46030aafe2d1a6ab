"""Facts for Airflow about this package: connection type, form, modules. Imports nothing: every process calls it."""

from __future__ import annotations

from typing import Any

_INTEGRATION = "Infobip OMNI"

# The form of the connection, field by field; `omni/config.py` reads the same names and refuses every other.
_FIELDS: dict[str, dict[str, Any]] = {
    "auth_type": {
        "label": "Authentication",
        "description": "basic (login and password), or app / bearer, which take the key or token from the password.",
        "schema": {"type": ["string", "null"], "default": None, "enum": ["basic", "app", "bearer", None]},
    },
    "connect_timeout": {
        "label": "Connect time-out (s)",
        "description": "Seconds until a connection must stand. Default 10.",
        "schema": {"type": ["number", "null"], "default": None, "exclusiveMinimum": 0},
    },
    "read_timeout": {
        "label": "Read time-out (s)",
        "description": "Seconds until the answer must have come. Default 30.",
        "schema": {"type": ["number", "null"], "default": None, "exclusiveMinimum": 0},
    },
    "requests_per_second": {
        "label": "Requests per second",
        "description": "The most that one process sends. Empty: no limit. Airflow pools limit several processes.",
        "schema": {"type": ["number", "null"], "default": None, "exclusiveMinimum": 0},
    },
    "max_connections": {
        "label": "Connections",
        "description": "The most that one process keeps open. Default 8.",
        "schema": {"type": ["integer", "null"], "default": None, "minimum": 1},
    },
    "allowed_recipients": {
        "label": "Allowed recipients",
        "description": "For test environments: the numbers that may be sent to, nobody else. * is everybody.",
        # Not null: that is what an emptied field is saved as, and a guard is not taken away by emptying it.
        "schema": {"type": ["string", "array", "null"], "default": "*"},
    },
    "region": {
        "label": "Region",
        "description": "Whose numbers without a country are, such as TH. Empty: all must have a country code.",
        "schema": {"type": ["string", "null"], "default": None},
    },
    "allowed_countries": {
        "label": "Allowed countries",
        "description": "Where may be sent at all, such as TH, SG. * is everywhere.",
        "schema": {"type": ["string", "array", "null"], "default": "*"},
    },
    "number_check": {
        "label": "Number check",
        "description": "valid (default), or possible: for ranges of numbers that are newer than the library's tables.",
        "schema": {"type": ["string", "null"], "default": None, "enum": ["valid", "possible", None]},
    },
    "id_secret": {
        "label": "Id secret",
        "description": "Goes into message ids: nobody can guess numbers from them. Must outlive password changes.",
        "schema": {"type": ["string", "null"], "default": None, "format": "password"},
    },
    "trust_duplicate_rejection": {
        "label": "Trust duplicate rejection",
        "description": "Only for accounts that have verified that OMNI refuses a repeated messageId (status 23).",
        "schema": {"type": ["boolean", "null"], "default": None},
    },
    "allow_plain_http": {
        "label": "Allow plain http",
        "description": "For a simulator on another machine. Never for an Infobip address.",
        "schema": {"type": ["boolean", "null"], "default": None},
    },
}

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": [],
    "relabeling": {"host": "Base URL", "schema": "Scheme (https)", "password": "Password, API key or token"},
    "placeholders": {"host": "xxxxx.api.infobip.com", "schema": "https", "login": "the account's user name"},
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
