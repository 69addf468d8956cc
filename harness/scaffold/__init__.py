"""``harness new``: a method to start from, as one file or as an installable package."""

from __future__ import annotations

from harness.scaffold.new import Scaffold, new_plugin

__all__ = ["Scaffold", "new_plugin"]
