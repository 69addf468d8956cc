"""How plugins and the harness agree on a version of the protocols, and how old plugins are told.

See docs/protocol-version.md. A plugin says ``harness_protocol = 1`` in the module that registers; one that says nothing
is taken to be current.
"""

from __future__ import annotations

from types import ModuleType

from harness import plugin_api as protocols
from harness.core.errors import PluginError


def outdated_note(module: ModuleType, who: str) -> str:
    """A sentence for a plugin that was written for an older protocol and still works; empty for a current one.

    Args:
        module: the plugin.
        who: what messages call it.

    Raises:
        PluginError: written for a newer protocol, or for one that is too old; or the version is no number.
    """
    known, oldest = protocols.PROTOCOL_VERSION, protocols.OLDEST_PROTOCOL
    version = getattr(module, "harness_protocol", known)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise PluginError(f"{who} says harness_protocol = {version!r}", fix=f"a number: harness_protocol = {known}")
    if version > known:
        raise PluginError(
            f"{who} was written for protocol {version}, this harness has protocol {known}",
            fix="update the harness, or install an older version of the plugin",
        )
    if version < oldest:
        raise PluginError(
            f"{who} was written for protocol {version}, this harness knows protocols {oldest} to {known}",
            fix="update the plugin (docs/protocol-version.md says what changed), or use an older harness",
        )
    if version == known:
        return ""
    return (
        f"plugin {who} was written for protocol {version} and still works; protocol {known} is current: "
        "docs/protocol-version.md says what changed"
    )
