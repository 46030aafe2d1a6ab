"""The recipients of a send: from files and rows to people with number, id and content; bad rows are quarantined."""
