"""Deprecated name of ``harness.plugin_api``; goes with the next release."""

import warnings

from harness.plugin_api import *  # noqa: F403

warnings.warn("harness.protocols is now harness.plugin_api", DeprecationWarning, stacklevel=2)
