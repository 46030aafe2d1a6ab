"""The send: each message is intended, posted, and resolved, once, whatever dies in between.

`engine.py` sends to many, `single_engine.py` to a few in one request; both by the table of `messages/states.py` and
with the doubts of `reconciler.py`. Nothing of a recipient stays in memory: what is known of people stands in a
temporary database on disk that dies with its process.
"""
