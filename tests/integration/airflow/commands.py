"""Commands as people type them, carried out in this process, and what they leave on the terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_omni.cli.program import main


@dataclass(frozen=True)
class Said:
    """The words of a command, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Its answer, where it is JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Shell:
    """Runs commands: `shell("check", "omni_default")`."""

    captured: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Said:
        self.captured.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(words)
        said = self.captured.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    def json(self, *words: str) -> Said:
        """Run one with `--output json`."""
        return self(*words, "--output", "json")
