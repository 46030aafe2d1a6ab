"""Who is sent what: from files and rows to people with a number, an id and a content; bad rows to the quarantine."""
