"""The soak: `python -m tests.crash --schedules 20000`. One: `--seed N --trace`. The harness itself: `--mutants`.

`--batches`: the same for batches.

Exit code 0 only if no promise was broken (with `--mutants`: if every mutant was noticed).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.crash import batch_mutants, batch_running, mutants, running, wait_mutants
from tests.crash.batch_schedule import batch_schedule_of
from tests.crash.judging import FROZEN, NO_FENCE
from tests.crash.mutating import Mutant
from tests.crash.running import Result
from tests.crash.schedule import schedule_of

SLICE = 100


def main(arguments: list[str] | None = None) -> int:
    """Parse what was typed and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--batches", action="store_true", help="batches, instead of single sends")
    parser.add_argument("--schedules", type=int, default=20_000, help="how many (default 20000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: everything that happened")
    parser.add_argument("--mutants", action="store_true", help="take one rule out at a time, and count what is found")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    if given.seed is not None:
        return one(given.seed, batches=given.batches, trace=given.trace)
    seeds = range(given.first, given.first + given.schedules)
    return (mutated if given.mutants else soak)(seeds, given.processes, batches=given.batches)


def one(seed: int, *, batches: bool, trace: bool) -> int:
    """Run one schedule and show it."""
    result = _run(batches)(seed, trace=trace)
    plan: Any = batch_schedule_of(seed) if batches else schedule_of(seed)
    print(f"seed {seed}, guarantee {plan.guarantee}, Airflow {plan.airflow}, flow {' → '.join(plan.flow)}")
    for part in (plan.send, plan.wait, plan.weather):
        print(f"  {part}")
    if batches:
        print(f"  ledger: {plan.ledger}, store failures: {plan.store_failures}, {plan.sizes}")
    print(f"  {plan.settings.switches()}")
    print("\n".join(result.trace))
    print(result.judgement)
    return int(result.judgement.failed)


def soak(seeds: range, processes: int, *, batches: bool) -> int:
    """Run many schedules and print what they came to, A and B apart."""
    began = time.monotonic()
    rows: dict[str, Counter[str]] = {"A": Counter(), "B": Counter()}
    failed: list[Result] = []
    for results in _everywhere(seeds, processes, batches):
        for result in results:
            _count(rows[result.guarantee], result)
            if result.judgement.failed:
                failed.append(result)
                print(f"seed {result.seed}: {result.judgement}\n    {result.replay}", flush=True)
    _print_table(rows)
    what = "schedules of batches" if batches else "schedules"
    print(f"{len(seeds):,} {what} in {time.monotonic() - began:.0f} s, {len(failed)} broke a promise")
    return int(bool(failed))


def mutated(seeds: range, processes: int, *, batches: bool) -> int:
    """Run the schedules with one rule taken out at a time: as they are drawn, and led to where the rule matters."""
    unnoticed = []
    print(f"{'rule taken out':40}{'found in':>12}{'of focused':>12}   of {len(seeds)} schedules each")
    names = list(_mutants(batches))
    work = (names, [seeds] * len(names), [batches] * len(names))
    with ProcessPoolExecutor(processes) as pool:
        for name, (drawn, focused) in zip(names, pool.map(_mutated, *work), strict=True):
            print(f"{name:40}{drawn:12}{focused:12}", flush=True)
            if not focused:
                unnoticed.append(name)
    if unnoticed:
        print(f"not noticed: {', '.join(unnoticed)}")
    return int(bool(unnoticed))


def _run(batches: bool) -> Callable[..., Result]:
    return batch_running.run if batches else running.run


def _mutants(batches: bool) -> dict[str, Mutant]:
    return batch_mutants.MUTANTS if batches else mutants.MUTANTS | wait_mutants.MUTANTS


def _mutated(name: str, seeds: range, batches: bool) -> tuple[int, int]:
    mutant, run = _mutants(batches)[name], _run(batches)
    with mutant.patches():
        drawn = sum(run(seed).judgement.failed for seed in seeds)
        focused = sum(run(seed, focus=mutant.focus).judgement.failed for seed in seeds)
    return drawn, focused


def _everywhere(seeds: range, processes: int, batches: bool) -> Iterable[list[Result]]:
    slices = [seeds[start : start + SLICE] for start in range(0, len(seeds), SLICE)]
    if processes == 1:
        yield from (_run_slice(each, batches) for each in slices)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_run_slice, slices, [batches] * len(slices))


def _run_slice(seeds: range, batches: bool) -> list[Result]:
    return [_run(batches)(seed) for seed in seeds]


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
    rest = sorted({name for row in rows.values() for name in row} - set(first))
    print(f"{'':92}{'A':>8}{'B':>8}")
    for name in first + rest:
        print(f"{name:92}{rows['A'][name]:8}{rows['B'][name]:8}")


if __name__ == "__main__":
    sys.exit(main())
