"""The ledger of a batch: a folder of immutable parts that outlives tries, workers and Airflow's own database.

`plan/` says who (private), `sent/` what was posted, `outcomes/` what became of it, `quarantine/` which rows
were left out, `tries/` who may post. docs/batches.md has the columns. Knows no Airflow: where the folder lies is
`storage/object_storage.py`'s business. What users import of it stands in `airflow_provider_omni/ledger.py`.
"""
