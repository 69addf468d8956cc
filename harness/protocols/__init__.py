"""Deprecated name of ``harness.plugin_api``; goes with the next release."""

import warnings
from typing import TYPE_CHECKING

from harness.plugin_api import *  # noqa: F403
from harness.plugin_api.version import OLDEST_PLUGIN_API as OLDEST_PROTOCOL  # noqa: F401
from harness.plugin_api.version import PLUGIN_API_VERSION as PROTOCOL_VERSION  # noqa: F401

if TYPE_CHECKING:
    from harness.plugin_api import Floats as Floats
    from harness.plugin_api import Ids as Ids

warnings.warn("harness.protocols is now harness.plugin_api", DeprecationWarning, stacklevel=2)
