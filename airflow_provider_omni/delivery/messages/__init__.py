"""What is known of a message: its ids, its states and their table, what was intended, and what was heard of it.

No I/O, no policy. `states.py` says by which table a state changes, `status.py` what reports and log rows add up to.
"""
