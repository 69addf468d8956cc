"""What others computed, as records and published numbers: rankings, result folders, tables.

Imported records say who measured them (``measured_by``). They stand on boards beside own ones; they
cannot be done again.
"""
