"""Records for others: published as bundles, and merged into boards of many people without a server.

- ``bundle``: the file, written the same on every machine and read as something that anybody may have made.
- ``private``: what of a record is nobody's business: where files lay, and whose they were.
- ``publishing``: from records to a bundle. ``merging``: from bundles to boards.
- ``repetitions``: one run that several people did: which record a board takes, and where they disagree.
- ``people``: who measured each run, and who did it again. ``recomputed``: the log of those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.core.lazy import lazy_names

if TYPE_CHECKING:
    from harness.bundles.bundle import open_bundle as open_bundle
    from harness.bundles.merging import merge as merge
    from harness.bundles.publishing import publish as publish

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "merge": "harness.bundles.merging",
        "open_bundle": "harness.bundles.bundle",
        "publish": "harness.bundles.publishing",
    },
)
