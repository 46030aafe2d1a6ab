"""The Containerfile: its steps, run outside of a container as far as that goes, end in a simulator that answers.

The base image's Python is this one here; the packages that a step takes from an index are those of this environment,
and nothing else of it is there. What is not shown: that the base image can be had, and that a container's user may.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[3]
STEPS = [line for line in (REPOSITORY / "Containerfile").read_text().splitlines() if line and not line.startswith("#")]
ARGUMENTS = {"build": {"hatchling"}, "": {"starlette", "uvicorn", "httptools"}}
"""Stage → distributions that it takes from an index."""


@dataclass
class Stage:
    """One stage of the file in a folder of its own: paths from the root lie in it, programs in its venv."""

    name: str
    root: Path
    folder: Path = field(init=False)
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0"
    entry: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.root
        subprocess.run([sys.executable, "-m", "venv", str(self.root / "venv")], check=True)
        (site,) = (self.root / "venv").glob("lib/python*/site-packages")
        for file in _closure(ARGUMENTS[self.name]):
            target = site / file.name
            if not target.exists():
                target.symlink_to(file)

    def path(self, written: str) -> Path:
        return self.root / written.lstrip("/") if written.startswith("/") else self.folder / written

    def run(self, words: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        inside = [str(self.path(word)) if word.startswith("/") else word for word in words]
        program = str(self.root / "venv" / "bin" / inside[0]) if inside[0] == "python" else inside[0]
        done = subprocess.run(
            [program, *inside[1:]], cwd=self.folder, env=self.variables, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    @property
    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR")}
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return {**kept, **self.environment, **offline, "HOME": str(self.root)}


def _closure(names: set[str]) -> Iterator[Path]:
    """Yield the files of distributions and of all that they require, as they lie in this environment."""
    waiting, seen = [canonicalize_name(name) for name in names], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        found = importlib.metadata.distribution(name)
        for top in {Path(str(file)).parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            yield Path(str(found.locate_file(top)))
        for text in found.requires or ():
            required = Requirement(text)
            if required.marker is None or required.marker.evaluate({"extra": ""}):
                waiting.append(canonicalize_name(required.name))


def test_the_base_image_and_the_user_are_as_promised() -> None:
    assert {step.split()[1] for step in STEPS if step.startswith("FROM ")} == {"python:3.13-slim"}
    (user,) = [step.split()[1] for step in STEPS if step.startswith("USER ")]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert STEPS.index(f"USER {user}") > max(n for n, step in enumerate(STEPS) if step.startswith("RUN "))


def test_no_package_host_is_named() -> None:
    assert not re.search(r"https?://|--(extra-)?index|PIP_|apt", "\n".join(STEPS).replace("--no-index", ""))


def test_what_is_copied_is_let_through_to_the_build() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().split()
    copied = {
        word for step in STEPS if step.startswith("COPY ") and "--from" not in step for word in step.split()[1:-1]
    }
    assert ignored[0] == "*"
    assert copied == {line[1:] for line in ignored if line.startswith("!")}
    assert all((REPOSITORY / one).exists() for one in copied)


def test_the_steps_end_in_a_simulator_that_answers(tmp_path: Path) -> None:
    stages: list[Stage] = []
    for step in STEPS:
        what, _, rest = step.partition(" ")
        stage = stages[-1] if stages else None
        words = shlex.split(rest)
        if what == "FROM":
            name = words[2] if len(words) == 3 else ""
            (tmp_path / (name or "final")).mkdir()
            stages.append(Stage(name, tmp_path / (name or "final")))
            continue
        assert stage is not None
        if what == "WORKDIR":
            stage.folder = stage.path(words[0])
            stage.folder.mkdir(exist_ok=True)
        elif what == "ENV":
            stage.environment |= dict(word.split("=", 1) for word in words)
        elif what == "COPY":
            source = REPOSITORY
            if words[0].startswith("--from="):
                other = next(one for one in stages if one.name == words.pop(0).removeprefix("--from="))
                source, words[0] = other.root, words[0].lstrip("/")
            for one in words[:-1]:
                target = stage.path(words[-1])
                if (source / one).is_dir():
                    shutil.copytree(source / one, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source / one, target)
        elif what == "RUN":
            stage.run(words)
        elif what == "USER":
            stage.user = rest
        elif what == "ENTRYPOINT":
            stage.entry = json.loads(rest)
        else:
            assert what in ("EXPOSE", "HEALTHCHECK"), f"{what}: a step that this test does not know"
    final = stages[-1]
    modules = {file.name for file in final.root.glob("venv/lib/python*/site-packages/*")}
    assert "airflow" not in modules
    assert "airflow_provider_omni" in modules

    command = [
        str(final.root / "venv" / "bin" / "python"),
        *final.entry[1:],
        "--port",
        "0",
        "--state",
        "omni.db",
        "--demo",
    ]
    with subprocess.Popen(command, cwd=final.folder, env=final.variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().split()[4]
            assert requests.get(url, timeout=10).status_code == 401
            assert "OMNI simulator" in requests.get(url, auth=("demo", "demo-password"), timeout=10).text
            page = requests.get(f"{url}/simulator/messages", auth=("demo", "demo-password"), timeout=10).json()
            assert page["total"] > 40
        finally:
            process.terminate()
    assert process.returncode == 0
    assert (final.root / "state" / "omni.db").exists()


@pytest.mark.parametrize("name", ["starlette", "uvicorn", "httptools"])
def test_the_versions_are_those_of_the_extra(name: str) -> None:
    (extra,) = re.findall(r"^simulator = \[(.*)\]$", (REPOSITORY / "pyproject.toml").read_text(), re.MULTILINE)
    (wanted,) = re.findall(rf'"({name}>=[\d.]+)"', extra)
    assert f'"{wanted}"' in "\n".join(STEPS)
