"""The README's first steps, typed as they stand: DAG saved, simulator started, commands given to a shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.settings import free_port
from tests.integration.samples import REPOSITORY, Block, blocks_of

README = REPOSITORY / "README.md"
PORT = "8900"
SAVED_AS = re.compile(r"Save it as `(.+?)`")


def after_the_dag() -> tuple[Block, list[Block]]:
    """The README's DAG, and the blocks of commands below it."""
    blocks = blocks_of(README)
    (dag,) = [block for block in blocks if block.is_dag]
    return dag, [block for block in blocks if block.language == "bash" and block.line > dag.line]


@pytest.fixture
def port() -> str:
    """A port for the simulator, in place of the README's."""
    return str(free_port())


@pytest.fixture
def environment() -> dict[str, str]:
    """A newcomer's: the programs of this installation, and nothing of Airflow."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return mine | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{mine['PATH']}"}


@pytest.fixture
def simulator(port: str, environment: dict[str, str]) -> Iterator[None]:
    """Everything that the first block of commands starts, when it is ready."""
    _, (start, _) = after_the_dag()
    with subprocess.Popen(
        f"exec {start.code.strip()} --port {port}", shell=True, env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert port in running.stdout.readline()
        yield
        running.terminate()


@pytest.mark.usefixtures("simulator")
def test_the_commands_of_the_readme_run_its_dag_to_a_good_end(
    port: str, environment: dict[str, str], tmp_path: Path
) -> None:
    dag, (_, commands) = after_the_dag()
    (name,) = SAVED_AS.findall(README.read_text())
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(dag.code)
    assert PORT in commands.code
    typed = commands.code.replace(PORT, port)

    done = subprocess.run(
        ["bash", "-e", "-c", typed], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Delivery goal 'all' reached: 2 of 2 delivered" in done.stdout + done.stderr
