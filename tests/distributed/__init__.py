"""Several machines: a batch in shards survives the loss of a worker and of a triggerer. Run by `make test-distributed`.

people.py       who gets a message, and what becomes of it
dags/           the DAG
story.py        what happens, and what was seen of it
test_*.py       what must be right
"""
