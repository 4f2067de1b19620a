"""How jobs run: a dramatiq broker on the ledger, its actors and middleware; and the clock."""
