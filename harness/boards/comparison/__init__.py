"""Two measurements of the same methods, or two rows of one board, against each other.

- ``sides``: records and committed boards become rows that can be matched.
- ``matching``: which row of one side belongs to which of the other; refuses what must not be compared.
- ``changes``: the difference of a metric; ``judging``: its test; ``comparing``: all of them, ``harness.compare``.
- ``report``: changes as Markdown or JSON. ``gate``: the verdict for continuous integration.
- ``pairs``: two rows of one board, query by query.
"""
