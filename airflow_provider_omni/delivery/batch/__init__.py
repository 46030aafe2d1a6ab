"""Many recipients: from rows to people and requests, sent over several connections, and found again by a later try.

The same rules as for one request (`delivery/record.py`, `delivery/asking.py`), with nothing of a recipient kept in
memory: what is known of people stands in a scratch database on disk that dies with its process. Knows no Airflow.
"""
