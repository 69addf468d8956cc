"""The page: boards, methods and runs as static HTML that opens from a folder, without a network."""

from __future__ import annotations

from harness.site.site import Written, write_page

__all__ = ["Written", "write_page"]
