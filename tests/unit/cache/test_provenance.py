"""Entries say which foreign code was loaded where they were computed, and serve no cleaner process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from harness.cache import Cache
from harness.cache.inspection import cache_entries, verify_cache
from harness.cache.provenance import folder_by_provenance, recipe, recomputing
from harness.core.signed import signed, unsigned
from harness.data import fingerprint
from harness.plugin_api import DataFolders
from harness.registry import foreign

KEY = {"stage": "a"}
A, B = (foreign.ForeignCode(f"{name}.py", digest) for name, digest in (("mine", "1" * 32), ("yours", "2" * 32)))


@pytest.fixture
def process(monkeypatch):
    """Makes this process one that has loaded exactly this foreign code."""

    def hold(*codes):
        monkeypatch.setattr(foreign, "_loaded", dict.fromkeys(codes))

    hold()
    return hold


def get(folder, value):
    return float(Cache(folder).get_or_compute(KEY, lambda: {"x": np.full(3, value)}).arrays["x"][0])


def test_what_a_process_with_foreign_code_computed_serves_no_clean_one(tmp_path, process):
    process(A)
    assert get(tmp_path, 7) == 7
    process()
    assert get(tmp_path, 1) == 1
    process(A)
    assert get(tmp_path, 2) == 1  # the clean entry comes first


def test_the_same_foreign_code_is_served_and_other_code_is_not(tmp_path, process):
    process(A)
    assert get(tmp_path, 7) == 7
    assert get(tmp_path, 8) == 7
    for others in ((B,), (foreign.ForeignCode(A.name, "3" * 32),)):
        process(*others)
        assert get(tmp_path, 9) == 9


def test_code_that_is_loaded_while_an_entry_is_computed_counts(tmp_path, process):
    def compute():
        process(A)
        return {"x": np.full(3, 7.0)}

    Cache(tmp_path).get_or_compute(KEY, compute)
    process()
    assert get(tmp_path, 1) == 1


def test_the_list_of_entries_tells(tmp_path, process):
    process(A)
    with recipe({"run": {"id": "abc"}}):
        get(tmp_path / "arrays", 7)
    (entry,) = cache_entries(tmp_path)
    assert list(map(tuple, entry.foreign)) == [(A.name, A.digest)]
    assert entry.recipe == {"run": {"id": "abc"}}


def test_entries_of_older_versions_are_named(tmp_path, process):
    get(tmp_path / "arrays", 1)
    (path,) = (tmp_path / "arrays").glob("*.json")
    content = unsigned(path.read_bytes())
    del content["foreign"]
    path.write_bytes(signed(content))
    (damaged,) = verify_cache(tmp_path)
    assert "did not say which code was loaded" in damaged.damage


def test_an_entry_is_computed_again_beside_what_is_stored(tmp_path, process):
    get(tmp_path / "arrays", 1)
    (entry,) = cache_entries(tmp_path)
    with recomputing(frozenset([entry.name])) as results:
        assert get(tmp_path / "arrays", 2) == 1
    assert results[entry.name]["x"].tolist() == [2, 2, 2]
    assert get(tmp_path / "arrays", 3) == 1


def test_a_digest_of_files_computed_beside_foreign_code_serves_no_clean_process(tmp_path, process, monkeypatch):
    (tmp_path / "a.txt").write_text("a")
    os.utime(tmp_path / "a.txt", (1, 1))
    monkeypatch.setattr(fingerprint, "is_settled", lambda state: True)
    folders = DataFolders(tmp_path, tmp_path / "cache")
    process(A)
    with monkeypatch.context() as patched:
        patched.setattr(fingerprint, "file_checksum", lambda path: "0" * 64)
        assert fingerprint.file_digest(tmp_path / "a.txt", folders) == "0" * 64
    process()
    right = hashlib.sha256(b"a").hexdigest()
    assert fingerprint.file_digest(tmp_path / "a.txt", folders) == right
    process(A)
    assert fingerprint.file_digest(tmp_path / "a.txt", folders) == right


def test_generated_files_lie_apart_where_foreign_code_was_loaded(tmp_path, process):
    process(A)
    apart = folder_by_provenance(tmp_path / "drawn")
    assert apart.parent == tmp_path
    assert apart.name.startswith("drawn-")
    process(B)
    assert folder_by_provenance(tmp_path / "drawn") != apart
    process()
    assert folder_by_provenance(tmp_path / "drawn") == tmp_path / "drawn"
    (tmp_path / "drawn").mkdir()
    process(A)
    assert folder_by_provenance(tmp_path / "drawn") == tmp_path / "drawn"


PLUGIN = "from harness import hookimpl\n@hookimpl\ndef harness_register(registry): pass\n"
WHAT = """
import sys
from harness.registry import load_registry
from harness.registry.foreign import foreign_code
load_registry(built_in_only=True)
assert foreign_code() == ()
try:
    load_registry(sys.argv[1:])
except Exception:
    pass
print([code.name for code in foreign_code() if code.plugin])
"""


@pytest.mark.parametrize("text", [PLUGIN, "raise ValueError", "this is no Python"], ids=["whole", "raises", "broken"])
def test_a_plugin_counts_whether_it_loads_or_not(tmp_path, text):
    (tmp_path / "mine.py").write_text(text)
    command = [sys.executable, "-c", WHAT, str(tmp_path / "mine.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == "['mine.py']", done.stderr
