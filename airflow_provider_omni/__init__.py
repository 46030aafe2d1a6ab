"""Airflow provider for Infobip's OMNI failover API.

Nothing is imported here: Airflow imports this package in every process that parses DAGs.
"""

__version__ = "0.1.0"
