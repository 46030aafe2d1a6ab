"""Services behind the make commands and the e2e tests: a simulator and a real Airflow, started and stopped.

Not part of the wheel. Knows the provider only from outside: its connection, its simulator's HTTP address, its
example DAGs.
"""
