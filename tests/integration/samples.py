"""The code blocks of README.md and docs/."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)\n(?P<code>.*?)^ *```\s*$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """One fenced block: where it starts, its language, its code."""

    page: Path
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"

    @property
    def is_test(self) -> bool:
        """A test of the reader's, to be run by pytest."""
        return self.language == "python" and "def test_" in self.code

    @property
    def is_dag(self) -> bool:
        """A file that a reader puts into the DAGs folder."""
        return self.language == "python" and ("@dag" in self.code or "DAG(" in self.code)

    @property
    def is_sample(self) -> bool:
        """Python that Airflow runs: a DAG, or a part of one."""
        return self.language == "python" and not self.is_test


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, from its top to its end."""
    text = page.read_text()
    return [
        Block(page, text[: match.start()].count("\n") + 1, match["language"], match["code"])
        for match in FENCE.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
