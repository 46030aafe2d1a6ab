"""The recipients of a send: from files and rows to people with a number, an id and a content; bad rows are
quarantined.
"""
