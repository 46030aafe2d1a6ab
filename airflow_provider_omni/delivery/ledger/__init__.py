"""The ledger of a batch: a folder of immutable parts that outlives tries, workers and Airflow's own database.

`plan/` holds the recipients (private), `sent/` what was posted, `outcomes/` what became of it, `quarantine/` the rows
that were left out, `tries/` one file for each try that may post. docs/batches.md has the columns. Knows no Airflow:
`storage/object_storage.py` knows the folder's place. Users import it from `airflow_provider_omni/ledger.py`.
"""
