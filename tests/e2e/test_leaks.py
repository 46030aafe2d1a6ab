"""No secret, text or phone number stands anywhere in what Airflow has written down in all e2e tests of this session.

Searched are all log files (tasks, triggers, scheduler, triggerers, API server, DAG processor) and every table of the
database: XComs, triggers with their arguments, rendered templates, task instances, state entries, events. Numbers that
an author has written into a DAG stand in that DAG's source, which Airflow stores; there, and only there, they are
passed over. The same would hold for numbers that a user gives to a run (`conf`); no test does that.

This module is the last one of the session: see conftest.py.
"""

from __future__ import annotations

import base64
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from dev.airflow_stack import AirflowStack
from dev.settings import Keys
from tests.e2e.dags.people import LEAKING, LINE_VALIDITY, SAID, SENT, WAITED, people_of
from tests.e2e.scenes import ID_SECRET, PASSWORD, PATIENCE, Run
from tests.e2e.searching import Needle, Search, Trace

SECRETS = [
    Needle("the password", PASSWORD),
    Needle("the Authorization value", base64.b64encode(f"demo:{PASSWORD}".encode()).decode()),
    Needle("the id_secret", ID_SECRET),
]
TEXTS = [Needle(f"a message's {name}", text) for name, text in SAID.items()]
PEOPLE = [
    Needle.of_number(number) for numbers in (*map(people_of, (*SENT, *WAITED)), *LEAKING.values()) for number in numbers
]


def needles_of_session(stack: AirflowStack) -> tuple[list[Needle], set[Needle]]:
    """All needles; and of these the numbers that stand in the source of a DAG."""
    record = stack.simulator.record("acceptances", "refusals")
    used = {entry["to"] for entries in record.values() for entry in entries}
    numbers = {needle.text: needle for needle in [*PEOPLE, *map(Needle.of_number, sorted(used))]}
    sources = "".join(file.read_text() for file in stack.dags.glob("*.py") if file.name != "people.py")
    # Airflow also stores the values of `.expand(…)`, which are the author's as well.
    mapped = [Needle.of_number(number) for number in LEAKING["mapped"]]
    written = {needle for needle in numbers.values() if needle in mapped or needle.text in sources}
    return [*SECRETS, *TEXTS, *numbers.values()], written


def search(stack: AirflowStack) -> tuple[Search, list[Trace]]:
    """Search everything that there is now."""
    needles, written = needles_of_session(stack)
    search = Search(needles)
    traces = [
        *search.in_logs(stack.logs()),
        *search.in_database(stack.folder / "airflow.db", Keys.of(stack.folder).fernet_key, written),
    ]
    return search, sorted(set(traces), key=str)


@pytest.fixture(scope="module")
def waiting(stack: AirflowStack) -> tuple[Search, list[Trace]]:
    """Searched while a trigger is alive and everything else has ended."""
    run = Run.of(stack, "leaking", "wait")
    run.wait_for_task("deferred")

    def ended() -> bool:
        others = [task for task in stack.api.tasks("leaking", run.run_id) if task.task_id != "wait"]
        return all(task.state in ("success", "failed") for task in others)

    stack.wait_until(ended, "the other tasks to end", PATIENCE)
    (told,) = LEAKING["told"]
    stack.wait_until(lambda: run.accepted()[told], "the notifier to tell", PATIENCE)
    states = {task.task_id: task.state for task in stack.api.tasks("leaking", run.run_id)}
    assert states == dict.fromkeys(("send", "rendered", "mapped"), "success") | {
        "refused": "failed",
        "unusable": "failed",
        "wait": "deferred",
    }, run.described()
    found = search(stack)
    stack.simulator.advance(LINE_VALIDITY + 2)
    run.end()
    return found


@pytest.mark.parametrize(
    "place",
    [
        "task_instance.next_kwargs",
        "task_state_store.value",
        "trigger.kwargs",
        "xcom.value",
        "rendered_task_instance_fields.rendered_fields",
        "log.extra",
        "dag_code.source_code",
    ],
)
def test_search_comes_by_all_places(waiting: tuple[Search, list[Trace]], place: str) -> None:
    assert waiting[0].looked_at[place] > 0


@pytest.mark.parametrize("name", ["scheduler", "triggerer", "api-server", "dag-processor", "attempt=1", "trigger"])
def test_search_comes_by_all_logs(waiting: tuple[Search, list[Trace]], name: str) -> None:
    assert any(place.startswith("log ") and name in place for place in waiting[0].looked_at)


def test_nothing_leaks_while_a_trigger_waits(waiting: tuple[Search, list[Trace]]) -> None:
    assert waiting[1] == []


@pytest.mark.usefixtures("waiting")
def test_rendered_templates_hold_the_shape_of_the_messages(stack: AirflowStack) -> None:
    with contextlib.closing(sqlite3.connect(stack.folder / "airflow.db")) as db:
        rows = db.execute(
            "select rendered_fields from rendered_task_instance_fields where dag_id = 'leaking'"
        ).fetchall()
    assert any("<text, 47 characters>" in str(row) for row in rows)


@pytest.mark.usefixtures("waiting")
def test_nothing_has_leaked_in_the_end(stack: AirflowStack) -> None:
    assert search(stack)[1] == []


@pytest.mark.usefixtures("waiting")
def test_nothing_lies_in_the_files_of_the_database(stack: AirflowStack) -> None:
    _, written = needles_of_session(stack)
    needles = [needle for needle in [*SECRETS, *TEXTS, *PEOPLE] if needle not in written]
    assert list(Search(needles).in_bytes(stack.folder / "airflow.db")) == []


# -- the search itself -------------------------------------------------------------------------------------------------


def test_search_finds_what_an_author_has_written_into_a_dag(stack: AirflowStack) -> None:
    search = Search([Needle.of_number(LEAKING["mapped"][0])])
    traces = search.in_database(stack.folder / "airflow.db", Keys.of(stack.folder).fernet_key)
    assert {trace.where for trace in traces} == {"serialized_dag.data"}


@pytest.mark.parametrize(
    "leak",
    [
        "4915115540101",
        "call 01511 554 01 01 now",
        '{"to": "+49 1511 554-01-01"}',
        f"Authorization: Basic {SECRETS[1].text}",
        f"password={PASSWORD}",
    ],
)
@pytest.mark.parametrize("place", ["log", "row", "encrypted"])
def test_search_finds_a_leak_wherever_it_is(tmp_path: Path, place: str, leak: str) -> None:
    search = Search([*SECRETS, Needle.of_number("4915115540101")])
    key = Fernet.generate_key()
    file = tmp_path / "leaky.db"
    with contextlib.closing(sqlite3.connect(file)) as db:
        value: Any = Fernet(key).encrypt(leak.encode()) if place == "encrypted" else leak
        db.execute("create table leaky (value)")
        db.execute("insert into leaky values (?)", [value])
        db.commit()
    found = {
        "log": lambda: search.in_logs([(file, f"first line\n{leak}\n")]),
        "row": lambda: search.in_database(file, key.decode()),
        "encrypted": lambda: search.in_database(file, key.decode()),
    }[place]()
    assert len(list(found)) == 1


@pytest.mark.parametrize("leak", ["4915115540101", PASSWORD])
def test_search_finds_a_leak_in_the_bytes_of_a_file(tmp_path: Path, leak: str) -> None:
    (tmp_path / "leaky.db-wal").write_bytes(b"\x00\xff" + leak.encode())
    search = Search([*SECRETS, Needle.of_number("4915115540101")])
    assert len(list(search.in_bytes(tmp_path / "leaky.db"))) == 1


@pytest.mark.usefixtures("waiting")
def test_search_finds_a_leak_in_a_copy_of_the_real_database(stack: AirflowStack, tmp_path: Path) -> None:
    copy = tmp_path / "airflow.db"
    with contextlib.closing(sqlite3.connect(stack.folder / "airflow.db")) as original, sqlite3.connect(copy) as db:
        original.backup(db)
        db.execute("update task_instance set rendered_map_index = ? where task_id = 'refused'", [PASSWORD])
    _, written = needles_of_session(stack)
    traces = Search(SECRETS).in_database(copy, Keys.of(stack.folder).fernet_key, written)
    assert {trace.what for trace in traces} == {"the password"}
