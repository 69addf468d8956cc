"""Audit of a dataset: what makes numbers wrong without an error. ``audit_dataset`` does all of it.

Errors stop (exit code 4), warnings name files, notes only say what is there. docs/how-to/audit.md has the list.
"""

from __future__ import annotations
