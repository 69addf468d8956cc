"""Deprecated name of ``harness.registry.parameters``; goes with the next release."""

import warnings

from harness.registry.parameters import *  # noqa: F403

warnings.warn("harness.parameters is now harness.registry.parameters", DeprecationWarning, stacklevel=2)
