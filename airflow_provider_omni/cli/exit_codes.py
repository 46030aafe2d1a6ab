"""Exit codes of commands. docs/commands.md lists them for scripts."""

from __future__ import annotations

DONE = 0
"""Done; of a check: all is well."""
FAILED = 1
"""It could not be done, and stderr says why."""
USAGE = 2
"""The command line is wrong."""
NO = 3
"""Done, and the answer is no: something is wrong with the connection, the ledger is not whole, ids are not refused."""
NOT_KNOWN = 4
"""Done, and there is no answer (yet): the logs say nothing, or not enough."""
INTERRUPTED = 130
"""Somebody pressed Ctrl-C."""
