"""The version of the plugin API, and how plugins that were written for another one are reported.

See docs/protocol-version.md. A plugin says ``harness_plugin_api = 1`` in the module that registers; one that says
nothing is taken to be current.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from harness.core.errors import PluginError

PLUGIN_API_VERSION: Final = 1
"""Raised when a protocol of a kind changes in a way that an existing plugin would notice."""

OLDEST_PLUGIN_API: Final = 1
"""Plugins written for this version still work."""

_NAMES: Final = ("harness_plugin_api", "harness_protocol")  # the second one is its name of before


def outdated_note(module: ModuleType, who: str) -> str:
    """A sentence about a plugin that was written for an older version and still works; empty for a current one.

    Args:
        module: the plugin.
        who: what messages call it.

    Raises:
        PluginError: written for a newer version, or for one that is too old; or the version is not a number.
    """
    current, oldest = PLUGIN_API_VERSION, OLDEST_PLUGIN_API
    name = next((name for name in _NAMES if hasattr(module, name)), _NAMES[0])
    version = getattr(module, name, current)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise PluginError(f"{who} says {name} = {version!r}", fix=f"a number: {_NAMES[0]} = {current}")
    if version > current:
        raise PluginError(
            f"{who} was written for plugin API {version}, this harness has plugin API {current}",
            fix="update the harness, or install an older version of the plugin",
        )
    if version < oldest:
        raise PluginError(
            f"{who} was written for plugin API {version}, this harness supports {oldest} to {current}",
            fix="update the plugin (docs/protocol-version.md says what changed), or use an older harness",
        )
    if version == current:
        return ""
    return (
        f"plugin {who} was written for plugin API {version} and still works; version {current} is current: "
        "docs/protocol-version.md says what changed"
    )
