"""The knowledge about a message: its ids, its states and their table, its intents, and the reports and logs about it.

No I/O, no policy. `states.py` has the table by which a state changes, `status.py` joins reports and log rows.
"""
