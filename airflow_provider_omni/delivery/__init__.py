"""What becomes of messages: ids, sending, tracking, verdict, memory. Does no I/O and knows no Airflow."""
