"""Exact and approximate top-k of inner products."""
