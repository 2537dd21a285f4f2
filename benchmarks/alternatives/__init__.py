"""Decisions by us and by what one would take instead: cost, memory and start-up, side by side in one run."""
