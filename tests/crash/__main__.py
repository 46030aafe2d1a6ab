"""The soak: `python -m tests.crash --schedules 20000`. One: `--seed N --trace`. The harness itself: `--mutants`.

`--batches`, `--alerts`: the same for batches, and for alerts whose callbacks run more than once. `--one-task`,
`--one-task-batches`: the same for single sends and batches that wait in the same task (`wait_for_delivery`).

`--digest`: a hash of everything that happens in each hundred schedules. A change that is to change no behaviour, such
as a move of code, must leave all of them as they were.

Exit code 0 only if no promise was broken (with `--mutants`: if every mutant was noticed).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.crash import alert_mutants, alerts, batch_mutants, batch_running, mutants, running, wait_mutants
from tests.crash.alert_schedule import alert_schedule_of
from tests.crash.batch_schedule import batch_schedule_of, one_task_batch_of
from tests.crash.checker import FROZEN, NO_FENCE, SWITCHED
from tests.crash.mutating import Mutant
from tests.crash.running import Result
from tests.crash.schedule import one_task_schedule_of, schedule_of

SLICE = 100
SENDS, ONE_TASK, BATCHES, ALERTS = "sends", "sends that wait", "batches", "alerts"
ONE_TASK_BATCHES = "batches that wait"
NAMES = {
    SENDS: "schedules",
    ONE_TASK: "schedules of sends that wait",
    BATCHES: "schedules of batches",
    ONE_TASK_BATCHES: "schedules of batches that wait",
    ALERTS: "schedules of alerts",
}


def main(arguments: list[str] | None = None) -> int:
    """Parse what was typed and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--batches", dest="kind", action="store_const", const=BATCHES, default=SENDS, help="batches, not single sends"
    )
    kinds.add_argument(
        "--one-task", dest="kind", action="store_const", const=ONE_TASK, help="single sends that wait in the same task"
    )
    kinds.add_argument(
        "--one-task-batches",
        dest="kind",
        action="store_const",
        const=ONE_TASK_BATCHES,
        help="batches that wait in the same task",
    )
    kinds.add_argument("--alerts", dest="kind", action="store_const", const=ALERTS, help="alerts, not single sends")
    parser.add_argument("--schedules", type=int, default=20_000, help="how many (default 20000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: everything that happened")
    parser.add_argument("--mutants", action="store_true", help="take one rule out at a time, and count what is found")
    parser.add_argument("--digest", action="store_true", help="a hash of all that happens, to compare before and after")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    if given.seed is not None:
        return one(given.seed, given.kind, trace=given.trace)
    seeds = range(given.first, given.first + given.schedules)
    doing = digested if given.digest else mutated if given.mutants else soak
    return doing(seeds, given.processes, given.kind)


def one(seed: int, kind: str, *, trace: bool) -> int:
    """Run one schedule and show it."""
    result = _run(kind)(seed, trace=trace)
    schedules = {
        SENDS: schedule_of,
        ONE_TASK: one_task_schedule_of,
        BATCHES: batch_schedule_of,
        ONE_TASK_BATCHES: one_task_batch_of,
    }
    plan: Any = (schedules | {ALERTS: alert_schedule_of})[kind](seed)
    print(f"seed {seed}, guarantee {plan.guarantee}, flow {' → '.join(plan.flow)}")
    if kind == ALERTS:
        parts = [f"one message per {plan.dedupe}, {len(plan.people)} people", *plan.copies, plan.network]
    else:
        parts = [f"Airflow {plan.airflow}", plan.send, plan.wait, plan.network]
    if kind in (BATCHES, ONE_TASK_BATCHES):
        parts.append(f"ledger: {plan.ledger}, store failures: {plan.store_failures}, {plan.sizes}")
    for part in (*parts, plan.settings.switches()):
        print(f"  {part}")
    print("\n".join(result.trace))
    print(result.judgement)
    return int(result.judgement.failed)


def soak(seeds: range, processes: int, kind: str) -> int:
    """Run many schedules and print what they came to, A and B apart."""
    began = time.monotonic()
    rows: dict[str, Counter[str]] = {"A": Counter(), "B": Counter()}
    failed: list[Result] = []
    for results in _everywhere(seeds, processes, kind):
        for result in results:
            _count(rows[result.guarantee], result)
            if result.judgement.failed:
                failed.append(result)
                print(f"seed {result.seed}: {result.judgement}\n    {result.replay}", flush=True)
    _print_table(rows)
    print(f"{len(seeds):,} {NAMES[kind]} in {time.monotonic() - began:.0f} s, {len(failed)} broke a promise")
    return int(bool(failed))


def mutated(seeds: range, processes: int, kind: str) -> int:
    """Run the schedules with one rule taken out at a time: as they are drawn, and led to where the rule matters."""
    unnoticed = []
    print(f"{'rule taken out':40}{'found in':>12}{'of focused':>12}   of {len(seeds)} schedules each")
    names = list(_mutants(kind))
    work = (names, [seeds] * len(names), [kind] * len(names))
    with ProcessPoolExecutor(processes) as pool:
        for name, (drawn, focused) in zip(names, pool.map(_mutated, *work), strict=True):
            print(f"{name:40}{drawn:12}{focused:12}", flush=True)
            if not focused:
                unnoticed.append(name)
    if unnoticed:
        print(f"not noticed: {', '.join(unnoticed)}")
    return int(bool(unnoticed))


def digested(seeds: range, processes: int, kind: str) -> int:
    """Print a hash of the traces, judgements and counts of each slice."""
    slices = _slices(seeds)
    with ProcessPoolExecutor(processes) as pool:
        for each, digest in zip(slices, pool.map(_digest, slices, [kind] * len(slices)), strict=True):
            print(f"{kind} {each.start} to {each.stop - 1}: {digest}", flush=True)
    return 0


def _digest(seeds: range, kind: str) -> str:
    whole = hashlib.sha256()
    for seed in seeds:
        result = _run(kind)(seed, trace=True)
        happened = (result.trace, repr(result.judgement), sorted(result.events.items()))
        whole.update(repr((seed, *happened)).encode())
    return whole.hexdigest()


def _slices(seeds: range) -> list[range]:
    return [seeds[start : start + SLICE] for start in range(0, len(seeds), SLICE)]


def _run(kind: str) -> Callable[..., Result]:
    runs = {
        SENDS: running.run,
        ONE_TASK: running.run_in_one_task,
        BATCHES: batch_running.run,
        ONE_TASK_BATCHES: batch_running.run_in_one_task,
        ALERTS: alerts.run,
    }
    return runs[kind]


def _mutants(kind: str) -> dict[str, Mutant]:
    single = mutants.MUTANTS | wait_mutants.MUTANTS
    return {
        SENDS: single,
        ONE_TASK: single,
        BATCHES: batch_mutants.MUTANTS,
        ONE_TASK_BATCHES: batch_mutants.MUTANTS,
        ALERTS: alert_mutants.MUTANTS,
    }[kind]


def _mutated(name: str, seeds: range, kind: str) -> tuple[int, int]:
    mutant, run = _mutants(kind)[name], _run(kind)
    with mutant.patches():
        drawn = sum(run(seed).judgement.failed for seed in seeds)
        focused = sum(run(seed, focus=mutant.focus).judgement.failed for seed in seeds)
    return drawn, focused


def _everywhere(seeds: range, processes: int, kind: str) -> Iterable[list[Result]]:
    slices = _slices(seeds)
    if processes == 1:
        yield from (_run_slice(each, kind) for each in slices)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_run_slice, slices, [kind] * len(slices))


def _run_slice(seeds: range, kind: str) -> list[Result]:
    return [_run(kind)(seed) for seed in seeds]


def _count(row: Counter[str], result: Result) -> None:
    judgement = result.judgement
    row.update(result.events)
    row["BROKEN: somebody got it twice"] += bool(judgement.twice and not judgement.excepted)
    row["BROKEN: never sent, task green"] += bool(judgement.never)
    row["BROKEN: wrong outcome of the wait"] += bool(judgement.wrong)
    if judgement.twice and judgement.excepted:
        row[f"twice, excepted: {judgement.excepted}"] += 1


def _print_table(rows: dict[str, Counter[str]]) -> None:
    first = ["schedules", "BROKEN: somebody got it twice", "BROKEN: never sent, task green"]
    first += ["BROKEN: wrong outcome of the wait", f"twice, excepted: {FROZEN}", f"twice, excepted: {NO_FENCE}"]
    first += [f"twice, excepted: {SWITCHED}"]
    rest = sorted({name for row in rows.values() for name in row} - set(first))
    print(f"{'':92}{'A':>8}{'B':>8}")
    for name in first + rest:
        print(f"{name:92}{rows['A'][name]:8}{rows['B'][name]:8}")


if __name__ == "__main__":
    sys.exit(main())
