"""Errors, files, locks, YAML with positions, cost, progress: what every package may use."""
