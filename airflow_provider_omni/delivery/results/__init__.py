"""The results of a ledger: outcomes, quarantine, and the recipients of a second send."""
