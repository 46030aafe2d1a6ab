"""The simulator's options on a command line, as data.

Imports nothing: they are those of `airflow omni simulator`, too, so every `airflow` command reads them.
"""

from __future__ import annotations

from typing import Any

WHAT = "A local OMNI server: Infobip's OMNI failover API for development and tests, offline."
FATES = "The last two digits of a phone number decide what becomes of a message; see docs/simulator.md."

SHORTCUTS: dict[str, str] = {
    "time-scale": "time_scale",
    "beat": "beat_seconds",
    "latency": "latency_seconds",
    "validity": "default_validity_seconds",
    "duplicates": "duplicates",
    "reports": "reports",
    "log-lag": "log_lag_seconds",
}
"""Flags of their own for the switches that people use most; every switch works with `--switch name=value`."""

_SHORTCUT_WORDS = {
    "time-scale": "validity periods and beats pass this many times as fast; dates stay as they are",
    "beat": "seconds that a delivery takes",
    "latency": "every answer comes this many real seconds later",
    "validity": "seconds after which a step expires for which no validity was sent",
    "duplicates": "a messageId seen before: status-23, accept, ignore or report",
    "reports": "final: the last report of a message only; per-step: one per step",
    "log-lag": "the logs are this many seconds behind",
}

FAULTS = (
    "latency, second-reader, throttle, error-before, reset-before, close-before, hold-before, refuse-auth, forbid, "
    "redirect, error-after, reset-after, close-after, hold-after, truncated, unreadable, empty, wrong-shape, "
    "foreign-ids, missing-entries, contradiction, huge, drip"
)
"""The kinds of faults, for the help."""

OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--host", {"default": "127.0.0.1", "help": "address to listen on (default: %(default)s)"}),
    ("--port", {"type": int, "default": 8900, "help": "port to listen on; 0: a free one (default: %(default)s)"}),
    ("--login", {"default": "demo", "help": "login of the account (default: %(default)s)"}),
    ("--password", {"default": "demo-password", "help": "password of the account (default: demo-password)"}),
    ("--app-key", {"default": "demo", "help": "API key that is taken (default: demo)"}),
    ("--bearer-token", {"default": "demo", "help": "bearer token that is taken (default: demo)"}),
    ("--allow-host", {"action": "append", "default": [], "help": "name under which control calls may be made"}),
    ("--seed", {"type": int, "default": 0, "help": "for made-up ids and random orders (default: %(default)s)"}),
    ("--manual-clock", {"action": "store_true", "help": "time moves only by POST /simulator/clock"}),
    (
        "--account",
        {
            "action": "append",
            "default": [],
            "metavar": "LOGIN[:PASSWORD]",
            "help": "open another account; repeatable; its password is the first one's unless given",
        },
    ),
    ("--state", {"metavar": "FILE", "help": "keep everything in this file, and go on from it"}),
    ("--demo", {"action": "store_true", "help": "fill the inbox with messages of every kind"}),
    *(
        (f"--{flag}", {"dest": f"shortcut_{name}", "metavar": "VALUE", "help": _SHORTCUT_WORDS[flag]})
        for flag, name in SHORTCUTS.items()
    ),
    (
        "--switch",
        {"action": "append", "default": [], "metavar": "NAME=VALUE", "help": "set any switch; repeatable"},
    ),
    (
        "--fault",
        {
            "action": "append",
            "default": [],
            "metavar": "KIND[,NAME=VALUE…]",
            "help": f"plan a fault, such as reset-after,call=send; repeatable; kinds: {FAULTS}",
        },
    ),
)
"""Each option's flag, and its settings as `argparse` has them."""
