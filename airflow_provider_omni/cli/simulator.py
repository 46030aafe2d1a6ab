"""`simulator`: the local OMNI server, as `python -m airflow_provider_omni.simulator` runs it. Needs no Airflow."""

from __future__ import annotations

import argparse
import sys

from airflow_provider_omni.cli.exit_codes import USAGE


def simulator(arguments: argparse.Namespace) -> None:
    """Run until SIGTERM or SIGINT."""
    from airflow_provider_omni.simulator.__main__ import CommandLineError, run

    try:
        code = run(arguments)
    except CommandLineError as problem:
        print(f"simulator: error: {problem}", file=sys.stderr)
        code = USAGE
    sys.exit(code)
