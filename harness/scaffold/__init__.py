"""``harness new``: a method to start from, as one file or an installable package, and the repository of a board."""

from __future__ import annotations

from harness.scaffold.board import new_board
from harness.scaffold.new import Scaffold, new_plugin

__all__ = ["Scaffold", "new_board", "new_plugin"]
