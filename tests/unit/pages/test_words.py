"""The page's words for statuses are those of logs and errors."""

from __future__ import annotations

import json
import re

from airflow_provider_omni.omni.reasons import STATUS_WORDS
from airflow_provider_omni.pages.app import FILES


def test_the_page_has_the_words_of_the_logs_for_every_status() -> None:
    table = re.search(r"const STATUSES = \{\n(.*?)\n\};", (FILES / "words.js").read_text(), re.S)
    assert table is not None
    lines = (line.strip().removesuffix(",").split(": ", 1) for line in table[1].splitlines())
    assert {name: json.loads(words) for name, words in lines} == STATUS_WORDS
