"""Sinks that come with the harness: each sends records to a place that others provide."""
