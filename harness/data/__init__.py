"""Datasets: where they come from, what they are, how they are read. Knows no task."""
