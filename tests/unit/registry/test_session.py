"""What identifies classes of notebooks, scripts and functions."""

from __future__ import annotations

import linecache
import sys
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pytest

from harness.core.errors import PluginError
from harness.registry.composition import code_of
from harness.registry.session import is_of_session

IMPORTS = "from dataclasses import dataclass\nimport numpy as np\n"
POOLING = """\
@dataclass(frozen=True)
class Mine:
    \"\"\"{doc}\"\"\"

    p: float = 3.0

    def pool(self, maps):
        x = maps  # {comment}
        return helper(x, {power})
"""
HELPER = "def helper(x, p):\n    return np.mean(x ** p) * SCALE\n"


class Notebook:
    """Cells as IPython runs them: each is a file to ``linecache``, all are one module without a file."""

    def __init__(self, monkeypatch):
        self.module, self.count = ModuleType("__main__"), 0
        monkeypatch.setitem(sys.modules, "__main__", self.module)

    def cell(self, text: str) -> None:
        self.count += 1
        name = f"<ipython-input-{self.count}-test>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), vars(self.module))

    def code(self, *cells: str) -> str:
        for cell in cells:
            self.cell(cell)
        return code_of(self.module.Mine)


@pytest.fixture
def notebook(monkeypatch):
    yield (notebook := Notebook(monkeypatch))
    for number in range(1, notebook.count + 1):
        linecache.cache.pop(f"<ipython-input-{number}-test>")


def pooling(doc="Mine.", comment="", power="self.p"):
    return POOLING.format(doc=doc, comment=comment, power=power)


def test_what_a_class_says_counts_and_not_how(notebook):
    first = notebook.code(IMPORTS, "SCALE = 2", HELPER, pooling())
    assert notebook.code(pooling(doc="Another sentence.", comment="why")) == first
    assert notebook.code("x = [object()]  # a local name of the method is called so too") == first
    assert notebook.code(pooling(power="2 * self.p")) != first
    assert notebook.code(pooling()) == first


def test_what_a_class_names_counts(notebook):
    first = notebook.code(IMPORTS, "SCALE = 2", HELPER, pooling())
    assert notebook.code("SCALE = 3") != first
    assert notebook.code("SCALE = 2") == first
    assert notebook.code(HELPER.replace("mean", "max")) != first


def test_arrays_count_by_their_content(notebook):
    first = notebook.code(IMPORTS, "SCALE = np.ones(3)", HELPER, pooling())
    assert notebook.code("SCALE = np.ones(3)") == first
    assert notebook.code("SCALE = np.zeros(3)") != first


def test_a_value_that_cannot_count_is_refused(notebook):
    with pytest.raises(PluginError, match="Mine uses SCALE, a object, which cannot identify a run"):
        notebook.code(IMPORTS, "SCALE = object()", HELPER, pooling())


def test_a_class_without_source_is_refused(monkeypatch):
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec(IMPORTS + pooling(), vars(module))
    with pytest.raises(PluginError, match="Mine: its source cannot be read"):
        code_of(module.Mine)


def test_a_script_and_a_notebook_say_the_same(notebook, tmp_path):
    first = notebook.code(IMPORTS, "SCALE = 2", HELPER, pooling())
    script = tmp_path / "script.py"
    script.write_text(IMPORTS + "SCALE = 2\n" + HELPER + pooling() + "print('anything else')\n")
    exec(compile(script.read_text(), str(script), "exec"), vars(notebook.module))
    assert code_of(notebook.module.Mine) == first


def _made(captured):
    @dataclass(frozen=True)
    class Local:
        """In a function."""

        def pool(self, maps):
            return maps * captured

    return Local


def test_values_of_the_function_around_a_class_count():
    assert is_of_session(_made(1))
    assert code_of(_made(1)) == code_of(_made(1)) != code_of(_made(2))
    assert code_of(_made(np.ones(2))) != code_of(_made(np.zeros(2)))
