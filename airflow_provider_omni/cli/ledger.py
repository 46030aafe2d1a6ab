"""`ledger show | export | unreached | purge | check`: what became of a batch, on local disks and in object stores."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from airflow_provider_omni.cli.asking import ask
from airflow_provider_omni.cli.exit_codes import DONE, NO
from airflow_provider_omni.cli.export import export as write
from airflow_provider_omni.cli.export import writer_of
from airflow_provider_omni.cli.ledger_summary import Summary
from airflow_provider_omni.cli.output import Answer, Table, command
from airflow_provider_omni.delivery.effects import Folder
from airflow_provider_omni.delivery.ledger.audit import Audit, audit
from airflow_provider_omni.delivery.ledger.layout import SubFolder, missing_shards, used_ledgers
from airflow_provider_omni.delivery.recipients.sources import Row
from airflow_provider_omni.delivery.results.reader import OutcomeRow, purge_plan, read_outcomes, read_quarantine
from airflow_provider_omni.delivery.results.unreached import Unreached
from airflow_provider_omni.omni.errors import OmniError, OmniStorageError
from airflow_provider_omni.omni.masking import mask_number
from airflow_provider_omni.omni.words import some
from airflow_provider_omni.pages.ledger_rows import COLUMNS, shown, with_money
from airflow_provider_omni.storage.object_storage import ledger_folder

PHONE = "phone"
"""The column of `unreached` that has the number."""


def folder_of(path: str) -> Folder:
    """Return the folder of a ledger. A relative path is one below this folder: nobody else reads it.

    Raises OmniInputError for what can be no ledger, and for a place that no batch has used. Raises OmniStorageError for
    a store that cannot be reached.
    """
    try:
        folder = ledger_folder(path if "://" in path else str(Path(path).expanduser().absolute()), "PATH")
    except OmniError:
        raise
    except Exception as error:
        # Whatever a store's library raises: its words may hold what nobody should see.
        raise OmniStorageError(
            f"The ledger's store cannot be reached ({type(error).__name__}): it needs the same provider and connection "
            "as the workers."
        ) from error
    used_ledgers(folder)
    return folder


# --- show ------------------------------------------------------------------------------------------------------------


def answer_of_show(path: str, summary: Summary, shards_missing: Sequence[str]) -> Answer:
    """Return counts, the funnel and reasons."""
    whole = summary.posted or 1
    counts: list[dict[str, Any]] = [
        {"": words, "recipients": count, "share": f"{100 * count / whole:.1f} %"} for words, count in summary.funnel()
    ]
    states = [{"state": state, "recipients": count} for state, count in summary.states.most_common()]
    left_out = {"quarantined": summary.quarantined, "suppressed": summary.suppressed}
    states += [{"state": f"{name} (not tried)", "recipients": count} for name, count in left_out.items() if count]
    tables = [Table(counts, "Funnel"), Table(states, "What the vendor said to the send")]
    if reasons := summary.listed_reasons():
        tables.append(Table(reasons, "Why not", ("count", "outcome", "channel", "status", "error", "words")))
    if summary.quarantine:
        rows = [{"count": count, "reason": reason} for reason, count in summary.quarantine.most_common(20)]
        tables.append(Table(rows, "Left out"))
    data = {"ledger": path, **summary.to_json(), "shards_that_never_began": list(shards_missing)}
    cost = ", ".join(f"{amount} {currency}" for currency, amount in data["cost"].items())
    words = [f"First sent {data['first_sent_at']}, last outcome {data['last_done_at'] or 'none yet'}."]
    words += [f"Cost as reported: {cost}."] if cost else []
    words += [f"Shards that never began: {', '.join(shards_missing)}."] if shards_missing else []
    return Answer(data, tables, words)


@command
def show(arguments: argparse.Namespace) -> Answer:
    """Show a ledger in numbers."""
    folder = folder_of(arguments.path)
    summary = Summary.of(read_outcomes(folder), read_quarantine(folder))
    return answer_of_show(arguments.path, summary, missing_shards(folder))


# --- export ----------------------------------------------------------------------------------------------------------


def exported(rows: Iterable[OutcomeRow], whole: bool) -> Iterator[dict[str, Any]]:
    """Yield rows as the page of deliveries has them in CSV. A key that is a phone number is masked unless `whole`."""
    for row in rows:
        yield with_money(shown(row, whole=whole))


@command
def export(arguments: argparse.Namespace) -> Answer:
    """Write one row for each recipient into a file."""
    writer_of(arguments.to)
    rows = exported(read_outcomes(folder_of(arguments.path)), arguments.show_numbers)
    count = write(arguments.to, rows, COLUMNS, overwrite=arguments.overwrite, private=arguments.show_numbers)
    return _answer_of_file(arguments.to, count)


def _answer_of_file(file: str, count: int) -> Answer:
    return Answer({"file": file, "rows": count}, words=(f"{some(count, 'row')} written to {file}.",))


# --- unreached -------------------------------------------------------------------------------------------------------


def person_of(row: Row, whole: bool) -> dict[str, Any]:
    """Return one recipient: masked and without fields, or with everything that stood in the row."""
    if not whole:
        return {PHONE: mask_number(row.number)}
    return {PHONE: row.number, **{name: value for name, value in (row.fields or {}).items() if name != PHONE}}


def answer_of_unreached(people: Sequence[dict[str, Any]], more: int, notes: Sequence[str]) -> Answer:
    """Return those who were not reached.

    :param more: those who are not listed.
    :param notes: sentences that the reading of the ledger has brought.
    """
    count = len(people) + more
    listed = f"{some(count, 'recipient')} not reached"
    words = [f"{listed}, of whom {more:,} are not listed; --to FILE has all." if more else f"{listed}.", *notes]
    columns = tuple(dict.fromkeys(name for person in people for name in person))
    return Answer(
        {"count": count, "recipients": list(people), "notes": list(notes)},
        (Table(people, columns=columns),) if people else (),
        words,
    )


@command
def unreached(arguments: argparse.Namespace) -> Answer:
    """List those who were not reached, or write them into a file."""
    if arguments.to is not None:
        writer_of(arguments.to)
    notes: list[str] = []
    whole = arguments.show_numbers
    source = Unreached(arguments.path, arguments.include_unknown)
    rows = source.rows(folder_of(arguments.path), PHONE, notes.append)
    people = (person_of(row, whole) for row in rows)
    if arguments.to is None:
        # JSON is for scripts, which want everybody.
        listed = list(people if arguments.output == "json" else itertools.islice(people, max(arguments.limit, 0)))
        return answer_of_unreached(listed, sum(1 for _ in people), notes)
    first = next(people, {PHONE: None})
    everybody = people if first[PHONE] is None else itertools.chain([first], people)
    count = write(arguments.to, everybody, tuple(first), overwrite=arguments.overwrite, private=whole)
    answer = _answer_of_file(arguments.to, count)
    return Answer({**answer.data, "notes": notes}, words=(*answer.words, *notes))


# --- purge -----------------------------------------------------------------------------------------------------------


@command
def purge(arguments: argparse.Namespace) -> Answer:
    """Remove the private half."""
    folder = folder_of(arguments.path)
    ask(
        f"Remove phone numbers and fields from {arguments.path} for good? Nobody can be sent to again from it then. "
        "The send must be over.",
        yes=arguments.yes,
    )
    removed = purge_plan(folder)
    return Answer(
        {"removed_parts": removed}, words=(f"{some(removed, 'part')} removed; what became of messages stays.",)
    )


# --- check -----------------------------------------------------------------------------------------------------------


def answer_of_check(found: Sequence[tuple[str, Audit]], shards_missing: Sequence[str]) -> Answer:
    """Return whether the ledger is whole.

    :param found: each folder of it, by name, with what was found there.
    :param shards_missing: folders of shards that have never begun.
    """
    rows: list[dict[str, Any]] = []
    for name, each in found:
        bad = [("damaged", part) for part in each.damaged] + [("missing", part) for part in each.missing]
        bad += [("missing", "plan/: nobody can be sent to again")] if each.plan_gone else []
        parts = ", ".join(f"{count:,} {kind}" for kind, count in each.parts.items())
        also = [some(each.unfinished, "unfinished part")] if each.unfinished else []
        also += [some(each.foreign, "foreign file")] if each.foreign else []
        also += ["plan/ was purged"] if each.purged else []
        words = f"{some(each.lines, 'line')} in {parts}" + (f"; {', '.join(also)}" if also else "")
        rows.append({"folder": name, "result": "whole" if each.whole else "damaged", "": words})
        rows += [{"folder": name, "result": result, "": part} for result, part in bad]
    rows += [{"folder": name, "result": "missing", "": "this shard never began"} for name in shards_missing]
    whole = all(each.whole for _, each in found) and not shards_missing
    data = {
        "whole": whole,
        "folders": [{"folder": name, "whole": each.whole, **asdict(each)} for name, each in found],
        "shards_that_never_began": list(shards_missing),
    }
    words = (
        "The ledger is whole."
        if whole
        else "The ledger is not whole: restore what is missing or damaged before anything is sent or judged by it."
    )
    return Answer(data, (Table(rows),), (words,), DONE if whole else NO)


@command
def check(arguments: argparse.Namespace) -> Answer:
    """Tell if a ledger is whole."""
    folder = folder_of(arguments.path)
    found = [(each.place if isinstance(each, SubFolder) else ".", audit(each)) for each in used_ledgers(folder)]
    return answer_of_check(found, missing_shards(folder))
