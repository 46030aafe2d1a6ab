"""DAGs to copy. Every one is run in the tests."""
