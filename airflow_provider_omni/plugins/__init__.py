"""Airflow plugins, found by the entry point `airflow.plugins`."""
