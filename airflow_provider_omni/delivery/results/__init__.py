"""What a ledger says afterwards: outcomes, quarantine, and who is to be sent to again."""
