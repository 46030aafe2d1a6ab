"""One story on several machines for all tests here; they look at what was seen of it."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.airflow_stack import StackError
from dev.distributed import DistributedStack
from tests.distributed.story import CONNECTION, DAG_ID, DAGS, Clock, Story, play


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user can walk through, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="omni-distributed-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def story(folder: Path) -> Story:
    """The story. Its stack is stopped before anybody looks."""
    if importlib.util.find_spec("celery") is None:
        raise RuntimeError("these tests need what `make test-distributed` installs")
    say = Clock()
    stack = DistributedStack(
        folder,
        DAGS,
        # The worst vendor: it takes a message id as often as it comes.
        simulator_options=("--duplicates", "accept"),
        connection_extra=CONNECTION,
        say=say,
    )
    try:
        stack.start(DAG_ID)
        return play(stack, say)
    except StackError as error:
        pytest.exit(f"the story has no end, so there is nothing to judge:\n{error}", returncode=1)
    finally:
        stack.stop()
        say("stopped")
