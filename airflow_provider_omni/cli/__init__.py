"""Commands, one tree with two doors: `airflow omni ...` on Airflow 3.2 and later, `python -m airflow_provider_omni ...`
everywhere.

Nothing is imported here: every `airflow` command imports this package.
"""
