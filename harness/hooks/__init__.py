"""Deprecated name of ``harness.plugin_api.hooks``; goes with the next release."""

import warnings

from harness.plugin_api.hooks import SinkHooks as ReporterHooks
from harness.plugin_api.hooks import harness_register, hookimpl, hookspec

__all__ = ["ReporterHooks", "harness_register", "hookimpl", "hookspec"]

warnings.warn("harness.hooks is now harness.plugin_api", DeprecationWarning, stacklevel=2)
