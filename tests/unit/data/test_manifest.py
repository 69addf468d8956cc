"""What a data folder remembers of its datasets."""

from __future__ import annotations

from harness.data.manifest import DatasetManifest, FileRecord, read_manifest, write_manifest

MANIFEST = DatasetManifest(
    "f" * 64, "2026-01-01", {"images": 3}, {"a.tgz": FileRecord("0" * 64, 5, "https://a.b/c", True)}
)


def test_what_was_written_is_read(tmp_path):
    assert write_manifest(tmp_path, "tiny", MANIFEST)
    assert read_manifest(tmp_path, "tiny") == MANIFEST
    assert read_manifest(tmp_path, "other") == DatasetManifest()


def test_what_is_damaged_counts_for_nothing(tmp_path):
    (tmp_path / ".harness").mkdir()
    for text in ("", "[]", "{", '{"files": 3}', '{"files": {"a": {}}}', '{"files": {}, "more": 1}'):
        (tmp_path / ".harness" / "tiny.json").write_text(text)
        assert read_manifest(tmp_path, "tiny") == DatasetManifest()


def test_a_folder_that_may_not_be_written_to_stays_as_it_is(tmp_path):
    """Also for an administrator, whom the mode would not stop."""
    (tmp_path / "data").mkdir(mode=0o555)
    assert not write_manifest(tmp_path / "data", "tiny", MANIFEST)
    assert not list((tmp_path / "data").iterdir())
    assert not write_manifest(tmp_path / "gone", "tiny", MANIFEST)
