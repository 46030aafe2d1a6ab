"""Questions before something is spent or changed. Asked on stderr, so that stdout holds the answer alone."""

from __future__ import annotations

import sys

from airflow_provider_omni.omni.errors import OmniInputError


def ask(question: str, *, yes: bool) -> None:
    """Return if a person agrees, or has with `--yes`.

    :param question: what will be done, as a question.

    Raises OmniInputError if they do not, and where nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        problem = f"--yes: missing, and nobody is there to be asked: {question}"
        raise OmniInputError("Nothing was done.", problems=(problem,))
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise OmniInputError("Nothing was done: the answer was no.")
