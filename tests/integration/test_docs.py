"""Every code block of README.md and docs/ is run or checked, and every link leads somewhere.

Python that Airflow runs is in `airflow/test_docs_samples.py`. Here pytest runs what holds test functions, and shell
commands are checked by what they call: see COMMANDS. The README's are typed by `tests/e2e/test_first_steps.py`. A
language or a command that nothing here knows fails, so that nobody forgets it.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.samples import BLOCKS, FENCE, PAGES, REPOSITORY, Block, blocks_of

LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?P<target>[^)\s]+)\)")
DAG_LINES = 25


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_a_language_that_is_checked(page: Path) -> None:
    languages = {block.language for block in blocks_of(page)}

    assert languages <= {"python", "bash", "json", "text", "mermaid"}


def test_pictures_are_of_a_kind_that_mermaid_knows() -> None:
    pictures = [block for block in BLOCKS if block.language == "mermaid"]
    assert {block.code.split()[0] for block in pictures} <= {"stateDiagram-v2", "flowchart"}


def test_the_picture_of_a_message_has_every_state_and_every_change_of_the_table() -> None:
    from airflow_provider_omni.delivery.messages.states import TRANSITIONS, MessageState

    [picture] = [block.code for block in BLOCKS if block.code.startswith("stateDiagram-v2")]
    drawn = set(re.findall(r"^ *(\w+|\[\*\]) --> (\w+|\[\*\])", picture, re.MULTILINE))
    states = {each.name for each in MessageState}
    changes = {("planned" if before is None else before.name, after.name) for (before, _), after in TRANSITIONS.items()}
    assert {pair for pair in drawn if pair[1] in states} == {pair for pair in changes if pair[0] != pair[1]}


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.is_dag], ids=str)
def test_dag_in_the_docs_is_taken_by_airflow(block: Block, tmp_path: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    (tmp_path / "block.py").write_text(block.code)

    bag = DagBag(str(tmp_path))

    assert bag.import_errors == {}
    assert bag.dags


def test_tests_in_the_docs_pass(tmp_path: Path) -> None:
    for number, block in enumerate(block for block in BLOCKS if block.is_test):
        (tmp_path / f"test_block_{number}.py").write_text(f"# {block}\n{block.code}")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]

    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_dag_of_the_readme_is_short() -> None:
    (block,) = [block for block in blocks_of(REPOSITORY / "README.md") if block.is_dag]

    assert len(block.code.splitlines()) <= DAG_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_json_in_the_docs_can_be_read(page: Path) -> None:
    for block in blocks_of(page):
        if block.language == "json":
            json.loads(block.code)


def check_make(words: list[str]) -> None:
    targets = re.findall(r"^([a-z.][\w.-]*):", (REPOSITORY / "Makefile").read_text(), re.M)
    assert {word for word in words if "=" not in word} <= set(targets)


def check_pip(words: list[str]) -> None:
    assert words[0] == "install"
    assert re.fullmatch(r"airflow-provider-omni(\[simulator\])?", words[1])


def check_python(words: list[str]) -> None:
    if words[:2] == ["-m", "airflow_provider_omni"]:
        from airflow_provider_omni.cli.program import make_parser as make_parser_of_commands

        make_parser_of_commands().parse_args(words[2:])
        return
    assert words[:2] == ["-m", "airflow_provider_omni.simulator"]
    from airflow_provider_omni.simulator.__main__ import make_parser, read_arguments

    read_arguments(make_parser().parse_args(words[2:]))


def check_airflow(words: list[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    get_parser().parse_args(words)


OF_AIRFLOW = {
    "AIRFLOW_HOME",
    "AIRFLOW__CORE__DAGS_FOLDER",
    *(f"AIRFLOW__METRICS__STATSD_{name}" for name in ("ON", "HOST", "PORT", "INFLUXDB_ENABLED")),
}
"""Variables of Airflow's own."""


def check_export(words: list[str]) -> None:
    for word in words:
        name, _, value = word.partition("=")
        if name not in OF_AIRFLOW:
            check_connection(name, value)


def check_connection(name: str, value: str) -> None:
    if not name.startswith("AIRFLOW_CONN_"):
        pytest.fail(f"{name}: not known here")
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_omni.omni.config import OmniConfig

    connection = Connection.from_json(value) if value.startswith("{") else Connection(conn_id="docs", uri=value)
    assert connection.conn_type == "omni"
    OmniConfig.from_connection(
        connection.host,
        connection.schema,
        connection.port,
        connection.login,
        connection.password,
        connection.extra_dejson,
    )


def check_curl(words: list[str]) -> None:
    from airflow_provider_omni.simulator.control import CONTROL_CALLS

    (url,) = [word for word in words if word.startswith("http")]
    host, _, path = url.removeprefix("http://").partition("/")
    assert host == "127.0.0.1:8900"
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if {"-d", "--json"} & set(words) else "GET"
    known = {(call.method, call.path) for call in CONTROL_CALLS}
    assert path.startswith("omni/1/") or (method, f"/{path.partition('?')[0]}") in known


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "airflow": check_airflow,
    "curl": check_curl,
    "export": check_export,
    "make": check_make,
    "pip": check_pip,
    "python": check_python,
}
"""First word of a shell command → what it must hold. `cd` and the like are not in it: a reader can do without."""


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "bash"], ids=str)
def test_commands_in_the_docs_exist(block: Block) -> None:
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            COMMANDS[words[0]](words[1:])


@pytest.mark.parametrize("page", [*PAGES, REPOSITORY / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for match in LINK.finditer(FENCE.sub("", page.read_text())):
        target, _, anchor = match["target"].partition("#")
        if "://" in target:
            continue
        destination = (page.parent / target).resolve() if target else page
        assert destination.exists(), match["target"]
        assert not anchor or anchor in anchors_of(destination), match["target"]


def anchors_of(page: Path) -> set[str]:
    """The anchors that a page's headings get on the usual hosts."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
