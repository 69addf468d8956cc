"""The notebook of the tutorial: what is stored in it, and its execution."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "docs" / "tutorials" / "notebook.ipynb"


def cells() -> list[dict]:
    return json.loads(FILE.read_text())["cells"]


def test_the_notebook_is_stored_with_a_board_a_table_and_a_picture():
    shown = [output.get("data", {}) for cell in cells() for output in cell.get("outputs", [])]
    html = ["".join(data.get("text/html", "")) for data in shown]
    assert any("harness-board" in text and "SoftmaxPooling sharpness=8" in text for text in html)
    assert any("dataframe" in text for text in html)
    assert any("image/png" in data for data in shown)
    assert all(output["output_type"] != "error" for cell in cells() for output in cell.get("outputs", []))


def test_its_method_is_that_of_the_tutorial_of_poolings():
    code = next("".join(cell["source"]) for cell in cells() if "class SoftmaxPooling" in "".join(cell["source"]))
    page = (FILE.parent / "pooling.md").read_text()
    assert code.partition("def pool")[2] in page


def test_the_page_of_it_shows_cells_and_what_they_gave():
    path = FILE.parents[2] / "tools" / "site" / "notebook_page.py"
    module = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("notebook_page", path))
    spec.loader.exec_module(module)
    pages = module.pages(FILE.parents[1])
    text = pages["tutorials/notebook.md"]
    assert text.startswith("# In a notebook")
    assert "```python\nharness.leaderboard(records" in text
    (picture,) = [name for name in pages if name.endswith(".png")]
    assert pages[picture].startswith(b"\x89PNG")
    assert f"({Path(picture).name})" in text


def test_the_notebook_runs_and_shows_what_is_stored(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    notebook = nbformat.read(FILE, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    for now, stored in zip(notebook.cells, cells(), strict=True):
        kinds = [sorted(output.data) for output in now.get("outputs", []) if "data" in output]
        assert kinds == [sorted(output["data"]) for output in stored.get("outputs", []) if "data" in output]
    boards = [o.data["text/html"] for c in notebook.cells for o in c.get("outputs", []) if "harness-board" in str(o)]
    assert all(name in boards[0] for name in ("SoftmaxPooling sharpness=2", "gem", "spoc", "mac"))
