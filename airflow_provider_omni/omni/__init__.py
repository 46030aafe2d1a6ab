"""The OMNI API: models, statuses, errors, requests and answers, the sync and the async client. Knows no Airflow."""
