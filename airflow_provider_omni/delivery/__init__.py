"""Delivery: recipients, ids, sending, tracking, verdict, memory. Does no I/O and knows no Airflow."""
