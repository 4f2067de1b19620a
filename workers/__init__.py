"""How jobs run: dramatiq actors, the dispatcher that feeds them, the clock."""
