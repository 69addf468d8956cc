"""How plugins that were written for another version of the plugin API are reported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.core.errors import PluginError
from harness.plugin_api import PLUGIN_API_VERSION, version
from harness.registry import load_registry

PLUGIN = """
from dataclasses import dataclass
from harness import hookimpl
VERSION

@dataclass(frozen=True)
class Mean:
    '''Mean of each map.'''
    def pool(self, maps):
        return maps.mean((-2, -1))

@hookimpl
def harness_register(registry):
    registry.pooling("my-mean", Mean)
"""


@pytest.fixture
def plugin(tmp_path):
    def write(line):
        path = tmp_path / "mine.py"
        path.write_text(PLUGIN.replace("VERSION", line))
        return str(path)

    return write


@pytest.fixture
def newer(monkeypatch):
    """A harness of plugin API 3 that still supports 2."""
    monkeypatch.setattr(version, "PLUGIN_API_VERSION", 3)
    monkeypatch.setattr(version, "OLDEST_PLUGIN_API", 2)


@pytest.mark.parametrize("line", ["", "harness_plugin_api = 1", "harness_protocol = 1"])
def test_the_current_version_needs_no_word(plugin, line):
    registry = load_registry([plugin(line)])
    assert "my-mean" in registry.names("pooling")
    assert registry.outdated == []


def test_an_older_version_works_and_is_told_in_one_sentence(plugin, newer):
    registry = load_registry([plugin("harness_plugin_api = 2")])
    assert "my-mean" in registry.names("pooling")
    (sentence,) = registry.outdated
    assert "mine.py" in sentence
    assert "plugin API 2" in sentence
    assert "version 3 is current" in sentence
    assert "docs/protocol-version.md" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("harness_plugin_api = 1", ["written for plugin API 1", "supports 2 to 3", "update the plugin"]),
        ("harness_plugin_api = 4", ["written for plugin API 4", "has plugin API 3", "update the harness"]),
        ("harness_protocol = 1", ["written for plugin API 1"]),
        ("harness_plugin_api = '3'", ["harness_plugin_api = '3'", "a number"]),
        ("harness_protocol = '3'", ["harness_protocol = '3'", "a number"]),
        ("harness_protocol = True", ["harness_protocol = True"]),
    ],
)
def test_what_cannot_work_is_refused_whole(plugin, newer, line, words):
    registry = load_registry()
    with pytest.raises(PluginError) as caught:
        registry.load(plugin(line))
    for word in ["mine.py", *words]:
        assert word in str(caught.value)
    assert "my-mean" not in registry.names("pooling")


def test_the_command_line_says_it_on_standard_error(plugin):
    code = (
        "import sys; from harness.plugin_api import version; version.PLUGIN_API_VERSION = 2; "
        f"sys.argv = ['harness', 'methods', 'pooling', '--plugin', {plugin('harness_plugin_api = 1')!r}]; "
        "from harness.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "my-mean" in done.stdout
    (line,) = done.stderr.splitlines()
    assert "written for plugin API 1 and still works" in line


def test_the_page_has_a_row_for_every_version(root):
    page = (root / "docs" / "protocol-version.md").read_text()
    for number in range(1, PLUGIN_API_VERSION + 1):
        assert f"| {number} |" in page
    assert f"now {PLUGIN_API_VERSION}." in page
