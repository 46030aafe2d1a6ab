"""`python -m airflow_provider_omni.simulator`: the simulator as a program."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from airflow_provider_omni.simulator import demo
from airflow_provider_omni.simulator.access import LOOPBACK_NAMES, ControlAccess, is_loopback
from airflow_provider_omni.simulator.accounts import Accounts
from airflow_provider_omni.simulator.clock import ManualClock, RealClock
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.faults import FAULT_KINDS, parse_fault
from airflow_provider_omni.simulator.settings import SWITCHES, Settings, read_switch
from airflow_provider_omni.simulator.state_file import StateFile

MISSING_EXTRA = "The simulator's server needs an extra: pip install 'airflow-provider-omni[simulator]'"
LAST_PORT = 65_535
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


def make_parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_omni.simulator",
        description="A local OMNI server: Infobip's OMNI failover API for development and tests, offline.",
        epilog="The last two digits of a phone number decide what becomes of a message; see docs/simulator.md.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8900, help="port to listen on; 0: a free one (default: %(default)s)"
    )
    parser.add_argument("--login", default="demo", help="login of the account (default: %(default)s)")
    parser.add_argument("--password", default="demo-password", help="password of the account (default: demo-password)")
    parser.add_argument("--app-key", default="demo", help="API key that is taken (default: demo)")
    parser.add_argument("--bearer-token", default="demo", help="bearer token that is taken (default: demo)")
    parser.add_argument("--allow-host", action="append", default=[], help="name under which control calls may be made")
    parser.add_argument("--seed", type=int, default=0, help="for made-up ids and random orders (default: %(default)s)")
    parser.add_argument("--manual-clock", action="store_true", help="time moves only by POST /simulator/clock")
    parser.add_argument(
        "--account",
        action="append",
        default=[],
        metavar="LOGIN[:PASSWORD]",
        help="open another account; repeatable; its password is the first one's unless given",
    )
    parser.add_argument("--state", metavar="FILE", help="keep everything in this file, and go on from it")
    parser.add_argument("--demo", action="store_true", help="fill the inbox with messages of every kind")
    for flag, name in SHORTCUTS.items():
        parser.add_argument(f"--{flag}", dest=f"shortcut_{name}", metavar="VALUE", help=SWITCHES[name].what)
    parser.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE", help="set any switch; repeatable"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[,NAME=VALUE…]",
        help=f"plan a fault, such as reset-after,call=send; repeatable; kinds: {', '.join(FAULT_KINDS)}",
    )
    return parser


def read_arguments(arguments: argparse.Namespace) -> tuple[Accounts, ControlAccess]:
    """Build the accounts that the flags describe, still empty. Raises ValueError with what is wrong."""
    given = {name: getattr(arguments, f"shortcut_{name}") for name in SHORTCUTS.values()}
    switches = dict(read_switch(f"{name}={value}") for name, value in given.items() if value is not None)
    switches.update(read_switch(text) for text in arguments.switch)
    settings = Settings(
        login=arguments.login,
        password=arguments.password,
        app_key=arguments.app_key,
        bearer_token=arguments.bearer_token,
        seed=arguments.seed,
        **switches,
    )
    simulator = Simulator(settings, ManualClock(RealClock().now()) if arguments.manual_clock else RealClock())
    accounts = Accounts(simulator)
    for text in arguments.account:
        login, _, password = text.partition(":")
        accounts.add(login, password or settings.password)
    names = {arguments.host, *arguments.allow_host} | LOOPBACK_NAMES
    credentials = None if is_loopback(arguments.host) else f"{settings.login}:{settings.password}"
    return accounts, ControlAccess(frozenset(names), credentials)


def fill(accounts: Accounts, arguments: argparse.Namespace) -> StateFile | None:
    """Put into the accounts what the flags say: a kept state, faults, a demo. Raises ValueError with what is wrong."""
    faults = [parse_fault(text) for text in arguments.fault]
    state = None
    if arguments.state is not None:
        state = StateFile(Path(arguments.state))
        state.restore(accounts)
    if arguments.demo and not len(accounts.first.messages):
        demo.fill(accounts.first)
    for fault in faults:  # last, since they are not meant for the demo
        accounts.first.faults.add(fault)
    return state


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the exit status."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if not 0 <= arguments.port <= LAST_PORT:
        parser.error(f"--port: {arguments.port}, must be 0 to {LAST_PORT}")
    try:
        accounts, access = read_arguments(arguments)
        state = fill(accounts, arguments)
    except ValueError as problem:
        parser.error(str(problem))
    try:
        from airflow_provider_omni.simulator import server
    except ModuleNotFoundError as missing:
        print(f"{MISSING_EXTRA} (missing: {missing.name})", file=sys.stderr)
        return 1
    try:
        listening = server.bind(arguments.host, arguments.port)
    except OSError as problem:
        print(f"Cannot listen on {arguments.host}:{arguments.port}: {problem.strerror or problem}", file=sys.stderr)
        return 1
    address = server.base_url(arguments.host, listening.getsockname()[1])

    def announce() -> None:
        print(f"OMNI simulator listening on {address} (login {arguments.login})", flush=True)

    running = server.make_server(server.build_app(accounts, access), announce)

    def stop() -> None:
        accounts.drop_held()
        running.should_exit = True

    asyncio.run(_serve(lambda: running.serve(sockets=[listening]), stop))
    if state is not None:
        state.close()
    return 0


async def _serve(serve: Callable[[], object], stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await serve()  # type: ignore[misc]


if __name__ == "__main__":
    sys.exit(main())
