"""`python -m airflow_provider_omni.simulator`: the simulator as a program."""

from __future__ import annotations

import argparse
import asyncio
import errno
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from airflow_provider_omni.simulator import demo
from airflow_provider_omni.simulator.access import LOOPBACK_NAMES, ControlAccess, is_loopback
from airflow_provider_omni.simulator.accounts import Accounts
from airflow_provider_omni.simulator.clock import ManualClock, RealClock
from airflow_provider_omni.simulator.command_line import FATES, OPTIONS, SHORTCUTS, WHAT
from airflow_provider_omni.simulator.engine import Simulator
from airflow_provider_omni.simulator.faults import parse_fault
from airflow_provider_omni.simulator.settings import Settings, read_switch
from airflow_provider_omni.simulator.state_file import StateFile

MISSING_EXTRA = "The simulator's server needs an extra: pip install 'airflow-provider-omni[simulator]'"
LAST_PORT = 65_535


class CommandLineError(ValueError):
    """Something is wrong with the flags; nothing was started."""


def make_parser() -> argparse.ArgumentParser:
    """Build the command line."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_omni.simulator", description=WHAT, epilog=FATES)
    for flag, settings in OPTIONS:
        parser.add_argument(flag, **settings)
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
    try:
        return run(parser.parse_args(argv))
    except CommandLineError as problem:
        parser.error(str(problem))


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; return the exit status. Raises CommandLineError."""
    if not 0 <= arguments.port <= LAST_PORT:
        raise CommandLineError(f"--port: {arguments.port}, must be 0 to {LAST_PORT}")
    try:
        accounts, access = read_arguments(arguments)
        state = fill(accounts, arguments)
    except ValueError as problem:
        raise CommandLineError(str(problem)) from None
    try:
        from airflow_provider_omni.simulator import server
    except ModuleNotFoundError as missing:
        print(f"{MISSING_EXTRA} (missing: {missing.name})", file=sys.stderr)
        return 1
    try:
        listening = server.bind(arguments.host, arguments.port)
    except OSError as problem:
        told = f"Cannot listen on {arguments.host}:{arguments.port}: {problem.strerror or problem}."
        # A simulator that is left running is the likely one.
        hint = (
            " Stop what runs there (`make down` for what `make up` started), or choose another --port; 0 is a free one."
        )
        print(told + (hint if problem.errno == errno.EADDRINUSE else ""), file=sys.stderr)
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
