"""The send: each message is intended, posted and resolved once, whatever dies in between.

`engine.py` sends to many recipients, and to a few in one request (`message.py`). It follows the table of
`messages/states.py` and resolve doubts by `reconciler.py`. Nothing of a recipient stays in memory: people stand in a
temporary database on disk that dies with its process.
"""
