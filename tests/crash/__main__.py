"""The soak: `python -m tests.crash --schedules 20000`. One: `--seed N --trace`. The harness itself: `--mutants`.

Exit code 0 only if no promise was broken (with `--mutants`: if every mutant was noticed).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.crash.judging import FROZEN, NO_FENCE
from tests.crash.mutants import MUTANTS
from tests.crash.running import Result, run
from tests.crash.schedule import schedule_of

SLICE = 100


def main(arguments: list[str] | None = None) -> int:
    """Parse what was typed and do it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--schedules", type=int, default=20_000, help="how many (default 20000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: everything that happened")
    parser.add_argument("--mutants", action="store_true", help="take one rule out at a time, and count what is found")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    if given.seed is not None:
        return one(given.seed, trace=given.trace)
    seeds = range(given.first, given.first + given.schedules)
    return mutants(seeds, given.processes) if given.mutants else soak(seeds, given.processes)


def one(seed: int, *, trace: bool) -> int:
    """Run one schedule and show it."""
    result = run(seed, trace=trace)
    plan = schedule_of(seed)
    print(f"seed {seed}, guarantee {plan.guarantee}, Airflow {plan.airflow}, flow {' → '.join(plan.flow)}")
    for part in (plan.send, plan.wait, plan.weather):
        print(f"  {part}")
    print(f"  {plan.settings.switches()}")
    print("\n".join(result.trace))
    print(result.judgement)
    return int(result.judgement.failed)


def soak(seeds: range, processes: int) -> int:
    """Run many schedules and print what they came to, A and B apart."""
    began = time.monotonic()
    rows: dict[str, Counter[str]] = {"A": Counter(), "B": Counter()}
    failed: list[Result] = []
    for results in _everywhere(seeds, processes):
        for result in results:
            _count(rows[result.guarantee], result)
            if result.judgement.failed:
                failed.append(result)
                print(f"seed {result.seed}: {result.judgement}\n    {result.replay}", flush=True)
    _print_table(rows)
    print(f"{len(seeds):,} schedules in {time.monotonic() - began:.0f} s, {len(failed)} broke a promise")
    return int(bool(failed))


def mutants(seeds: range, processes: int) -> int:
    """Run the schedules with one rule taken out at a time: as they are drawn, and led to where the rule matters."""
    unnoticed = []
    print(f"{'rule taken out':34}{'found in':>12}{'of focused':>12}   of {len(seeds)} schedules each")
    names = list(MUTANTS)
    with ProcessPoolExecutor(processes) as pool:
        for name, (drawn, focused) in zip(names, pool.map(_mutated, names, [seeds] * len(names)), strict=True):
            print(f"{name:34}{drawn:12}{focused:12}", flush=True)
            if not focused:
                unnoticed.append(name)
    if unnoticed:
        print(f"not noticed: {', '.join(unnoticed)}")
    return int(bool(unnoticed))


def _mutated(name: str, seeds: range) -> tuple[int, int]:
    mutant = MUTANTS[name]
    with mutant.patches():
        drawn = sum(run(seed).judgement.failed for seed in seeds)
        focused = sum(run(seed, focus=mutant.focus).judgement.failed for seed in seeds)
    return drawn, focused


def _everywhere(seeds: range, processes: int) -> Iterable[list[Result]]:
    slices = [seeds[start : start + SLICE] for start in range(0, len(seeds), SLICE)]
    if processes == 1:
        yield from map(_run_slice, slices)
        return
    with ProcessPoolExecutor(processes) as pool:
        yield from pool.map(_run_slice, slices)


def _run_slice(seeds: range) -> list[Result]:
    return [run(seed) for seed in seeds]


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
