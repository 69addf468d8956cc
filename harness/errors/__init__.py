"""Deprecated name of ``harness.core.errors``; goes with the next release."""

import warnings

from harness.core.errors import *  # noqa: F403

warnings.warn("harness.errors is now harness.core.errors", DeprecationWarning, stacklevel=2)
