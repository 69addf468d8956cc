"""Faults planted into clean data, one at a time: each is found, by its name, and nothing is found in clean data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.core.errors import DataDamaged, HarnessError
from harness.data.audit.audit import audit_dataset, cheap_audit
from harness.data.audit.judgements import judgement_findings
from harness.plugin_api import DataFolders, RetrievalSet
from harness_dataset.embeddings import Embeddings
from harness_dataset.image_classes import ImageClasses
from harness_dataset.image_instances import ImageInstances

SIDE = 24
SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'


def noise(seed, size=(SIDE, SIDE)):
    """Smooth noise: no two look alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size)


@pytest.fixture
def folders(tmp_path):
    return DataFolders(root=tmp_path / "data", cache=tmp_path / "cache")


@pytest.fixture
def classes(folders):
    """Two classes, four images of each in train, two in test."""
    root = folders.root / "pets"
    for part, count in (("train", 4), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                noise([len(part), label, number]).save(root / part / name / f"{number}.png")
    return root


def audit_classes(folders, **options):
    return audit_dataset("pets", ImageClasses(path="pets", **options), folders, near_duplicates=True)


def sixteen(root, scale):
    """Grey of 16 bits."""
    grey = np.asarray(noise(77).convert("L")).astype(np.uint16) * scale
    Image.fromarray(grey).save(root / "train" / "cat" / "0.png")


def exif(root, orientation=6):
    marks = Image.Exif()
    marks[0x0112] = orientation
    noise(78, (SIDE, 20)).save(root / "train" / "cat" / "turned.jpg", exif=marks)


def clear(root):
    image = noise(79).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(root / "train" / "cat" / "clear.png")


def near(root):
    image = np.asarray(Image.open(root / "train" / "cat" / "0.png")).astype(int)
    Image.fromarray(np.clip(image + 2, 0, 255).astype(np.uint8)).save(root / "test" / "cat" / "near.png")


CLASS_FAULTS = {
    "other suffix": (
        lambda root: (root / "train/cat/a.svg").write_text(SVG),
        ("skipped-files", "warning", "cat/a.svg"),
    ),
    "sub-folder": (
        lambda root: shutil.copytree(root / "test/cat", root / "train/cat/more"),
        ("skipped-files", "warning", "cat/more/0.png"),
    ),
    "outside": (
        lambda root: noise(70).save(root / "train/lost.png"),
        ("skipped-files", "warning", "train/lost.png"),
    ),
    "folder.png": (lambda root: (root / "train/cat/x.png").mkdir(), ("skipped-files", "warning", "cat/x.png")),
    "macOS": (
        lambda root: (root / "train/cat/._0.png").write_bytes(b"\0\5\26\7"),
        ("skipped-files", "note", "cat/._0.png"),
    ),
    "one side": (lambda root: shutil.rmtree(root / "test/dog"), ("empty-class", "warning", "dog")),
    "single class": (
        lambda root: [shutil.rmtree(root / part / "dog") for part in ("train", "test")],
        ("single-class", "error", "cat"),
    ),
    "same bytes": (
        lambda root: shutil.copy(root / "train/cat/0.png", root / "test/cat/copy.png"),
        ("shared", "warning", "test/cat/copy.png"),
    ),
    "same pixels": (
        lambda root: Image.open(root / "train/cat/0.png").save(root / "test/cat/copy.bmp"),
        ("shared", "warning", "test/cat/copy.bmp"),
    ),
    "two labels": (
        lambda root: shutil.copy(root / "train/cat/0.png", root / "train/dog/copy.png"),
        ("two-labels", "warning", "train/dog/copy.png"),
    ),
    "duplicate": (
        lambda root: shutil.copy(root / "train/cat/0.png", root / "train/cat/copy.png"),
        ("duplicates", "note", "train/cat/copy.png"),
    ),
    "nearly": (near, ("near-duplicates", "warning", "test/cat/near.png")),
    "constant": (
        lambda root: Image.new("RGB", (SIDE, SIDE), (9, 9, 9)).save(root / "train/cat/grey.png"),
        ("constant", "warning", "cat/grey.png"),
    ),
    "dark": (lambda root: sixteen(root, 16), ("dark", "warning", "cat/0.png")),
    "16 bits": (lambda root: sixteen(root, 257), ("sixteen-bit", "note", "cat/0.png")),
    "transparent": (clear, ("transparent", "warning", "cat/clear.png")),
    "pages": (
        lambda root: noise(80).save(root / "train/cat/p.tif", save_all=True, append_images=[noise(81)]),
        ("frames", "warning", "cat/p.tif"),
    ),
    "small": (lambda root: noise(82, (9, 9)).save(root / "train/cat/s.png"), ("small", "warning", "cat/s.png")),
    "long": (lambda root: noise(83, (300, 20)).save(root / "train/cat/l.png"), ("long", "warning", "cat/l.png")),
    "turned": (exif, ("turned", "note", "cat/turned.jpg")),
    "cut off": (
        lambda root: (root / "train/cat/0.png").write_bytes((root / "train/cat/0.png").read_bytes()[:99]),
        ("unreadable", "error", "cat/0.png"),
    ),
    "unbalanced": (
        lambda root: [noise([84, number]).save(root / f"train/cat/{number}.bmp") for number in range(45)],
        ("unbalanced", "warning", "49 of cat"),
    ),
}


def test_clean_classes_have_no_findings(classes, folders):
    audit = audit_classes(folders)
    assert audit.findings == ()
    assert audit.counts["labels"]["train"] == {"cat": 4, "dog": 4}


@pytest.mark.parametrize("fault", CLASS_FAULTS)
def test_a_fault_of_classes_is_found(classes, folders, fault):
    plant, (code, severity, words) = CLASS_FAULTS[fault]
    plant(classes)
    audit = audit_classes(folders)
    found = [f for f in audit.findings if f.code == code]
    assert [f.severity for f in found] == [severity]
    assert words in found[0].message or any(words in file for file in found[0].files)
    # Nothing else is wrong: what shares its pixels is nearly the same too, and a copy under two labels is a duplicate.
    expected = {code, "near-duplicates", "duplicates"}
    assert {f.code for f in audit.of("error", "warning")} <= expected


REFUSED = {
    "a class in sub-folders": (
        lambda root: (
            shutil.move(root / "train/cat", root / "train/moved")
            and shutil.move(root / "train/moved", (root / "train/cat").mkdir() or root / "train/cat/inner")
        ),
        "train/cat holds no images",
    ),
    "a class of other files": (
        lambda root: [file.rename(file.with_suffix(".dat")) for file in (root / "train/cat").iterdir()],
        "other suffix, such as",
    ),
    "an empty class": (
        lambda root: [file.unlink() for file in (root / "train/cat").iterdir()],
        "it is empty",
    ),
    "a class of the test alone": (lambda root: shutil.copytree(root / "test/cat", root / "test/cow"), "class cow"),
    "no class folders": (
        lambda root: [shutil.rmtree(root / "test"), (root / "test").mkdir(), noise(1).save(root / "test/a.png")],
        "outside of the class folders",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_a_loader_can_know_is_refused_when_planning(classes, folders, fault):
    plant, words = REFUSED[fault]
    plant(classes)
    with pytest.raises(HarnessError) as caught:
        ImageClasses(path="pets").fingerprint(folders)
    assert words in str(caught.value)
    assert ".png" in str(caught.value) or "the classes of train: cat, dog" in str(caught.value)


def test_classes_of_tiff_count_like_others(classes, folders):
    for part in ("train", "test"):
        for file in (classes / part / "dog").iterdir():
            Image.open(file).save(file.with_suffix(".tif"))
            file.unlink()
    assert len(ImageClasses(path="pets").load(folders).train_labels) == 8
    assert audit_classes(folders).findings == ()


@pytest.fixture
def instances(folders):
    """Four images of two objects, a query of each."""
    root = folders.root / "doors"
    (root / "images").mkdir(parents=True)
    for number, name in enumerate(("a1", "a2", "b1", "b2", "qa", "qb")):
        noise([9, number], (64, 48)).save(root / "images" / f"{name}.png")
    write(root)
    return root


QUERIES = ({"image": "qa.png", "easy": ["a1.png"], "hard": [1]}, {"image": "qb.png", "positives": [2, 3]})


def write(root, first=None, **more):
    queries = [{**QUERIES[0], **(first or {})}, QUERIES[1]]
    truth = {"imlist": ["a1.png", "a2.png", "b1.png", "b2.png"], "queries": queries, **more}
    (root / "gnd.json").write_text(json.dumps(truth))


def audit_instances(folders, **options):
    loader = ImageInstances(path="doors", **{"leave_one_out": False, **options})
    return audit_dataset("doors", loader, folders, near_duplicates=True)


def turned_query(root):
    marks = Image.Exif()
    marks[0x0112] = 8
    noise(90, (64, 48)).save(root / "images" / "qa.jpg", exif=marks)
    write(root, {"image": "qa.jpg", "box": [2, 2, 40, 40]})
    (root / "images" / "qa.png").unlink()


IMLIST = ["a1.png", "a2.png", "b1.png", "b2.png"]
INSTANCE_FAULTS = {
    "negative of itself": (
        lambda root: write(root, imlist=[*IMLIST, "qa.png"]),
        ("query-in-database", "error", "qa.png"),
    ),
    "its bytes under another name": (
        lambda root: shutil.copy(root / "images/b1.png", root / "images/qa.png"),
        ("query-in-database", "error", "qa.png"),
    ),
    "its pixels in another file": (
        lambda root: (
            write(root, {"image": "qa.bmp"})
            or Image.open(root / "images/b1.png").save(root / "images/qa.bmp")
            or (root / "images/qa.png").unlink()
        ),
        ("query-in-database", "error", "qa.bmp"),
    ),
    "its own positive": (
        lambda root: write(root, {"easy": [0, "qa.png"]}, imlist=[*IMLIST, "qa.png"]),
        ("own-positive", "warning", "qa.png"),
    ),
    "a query without positives": (
        lambda root: write(root, {"easy": [], "hard": []}),
        ("no-positives", "warning", "qa.png"),
    ),
    "no query with a positive": (
        lambda root: (
            (root / "gnd.json").write_text(
                json.dumps({"imlist": IMLIST, "queries": [{"image": "qa.png", "easy": [], "junk": [0]}]})
            )
            and (root / "images/qb.png").unlink()
        ),
        ("no-positives", "error", "none of 1 queries"),
    ),
    "box outside": (lambda root: write(root, {"box": [100, 0, 140, 30]}), ("box-outside", "error", "qa.png")),
    "box beyond": (lambda root: write(root, {"box": [20, 10, 90, 40]}), ("box-beyond", "warning", "qa.png")),
    "tiny box": (lambda root: write(root, {"box": [2, 2, 7, 9]}), ("tiny-box", "warning", "qa.png")),
    "turned with a box": (turned_query, ("turned-box", "warning", "qa.jpg")),
    "not judged": (lambda root: noise(91).save(root / "images/z.png"), ("skipped-files", "warning", "z.png")),
    "not an image": (
        lambda root: (root / "images/b1.png").write_bytes(b"<html>404</html>"),
        ("unreadable", "error", "b1.png"),
    ),
}


def test_clean_instances_have_no_findings(instances, folders):
    assert audit_instances(folders).findings == ()
    write(instances, {"junk": ["qa.png"]}, imlist=[*IMLIST, "qa.png"])
    assert audit_instances(folders).findings == ()


@pytest.mark.parametrize("fault", INSTANCE_FAULTS)
def test_a_fault_of_instances_is_found(instances, folders, fault):
    plant, (code, severity, words) = INSTANCE_FAULTS[fault]
    plant(instances)
    audit = audit_instances(folders)
    found = [f for f in audit.findings if f.code == code]
    assert [f.severity for f in found] == [severity]
    assert words in found[0].message
    assert {f.code for f in audit.of("error", "warning")} <= {code, "near-duplicates"}


def test_what_needs_no_decoding_is_found_before_the_first_run(instances, folders):
    for fault in ("negative of itself", "its bytes under another name", "own-positive", "not judged"):
        plant, (code, _, _) = INSTANCE_FAULTS.get(fault) or INSTANCE_FAULTS["its own positive"]
        shutil.copytree(instances, folders.root / "copy", dirs_exist_ok=True)
        plant(folders.root / "copy")
        audit = cheap_audit("doors", ImageInstances(path="copy", leave_one_out=False), folders)
        assert code in {f.code for f in audit.findings}
        shutil.rmtree(folders.root / "copy")


def test_a_stored_orientation_that_is_not_applied_is_named(instances, folders):
    turned_query(instances)
    (found,) = audit_instances(folders, orientation="stored").findings
    assert (found.code, found.severity) == ("turned", "warning")
    assert "not applied" in found.message


def arrays(**changed):
    rng = np.random.default_rng(0)
    parts = {"train": rng.normal(size=(12, 4)), "test": rng.normal(size=(6, 4))}
    return {**parts, "train_labels": np.arange(12) % 3, "test_labels": np.arange(6) % 3, **changed}


def row(part, position, value, n=12):
    rows = arrays()[part]
    rows[position] = value
    return {part: rows}


FEATURE_FAULTS = {
    "a zero row": (row("train", 3, 0.0), ("empty-rows", "warning", "train[3]")),
    "a constant dimension": (row("train", (slice(None), 1), 2.0), ("constant-dimensions", "note", "1 of 4")),
    "a far row": (row("train", 5, 1e4), ("norms", "warning", "train[5]")),
    "a duplicate": (row("train", 5, arrays()["train"][3]), ("two-labels", "warning", "train[5]")),
    "a leak": (row("test", 0, arrays()["train"][0]), ("shared", "warning", "test[0]")),
    "all equal": (row("train", slice(None), 1.0), ("constant", "error", "all rows of train")),
}


@pytest.mark.parametrize("fault", FEATURE_FAULTS)
def test_a_fault_of_features_is_found(folders, fault):
    changed, (code, severity, words) = FEATURE_FAULTS[fault]
    folders.root.mkdir()
    np.savez(folders.root / "f.npz", allow_pickle=False, **arrays(**changed))
    found = [f for f in audit_dataset("f", Embeddings(path="f.npz"), folders).findings if f.code == code]
    assert severity in {f.severity for f in found}
    assert any(words in f.message for f in found)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (row("train", (2, 1), np.nan), r"NaN or infinity in 1 of .*train\[2\] first"),
        (row("train", (2, 1), 1e39), r"train\[2\] first"),
        (b"PK\3\4 no zip", "cannot be read"),
        (b"", "cannot be read"),
    ],
    ids=["not finite", "beyond 32 bits", "no zip", "empty"],
)
def test_damaged_features_are_refused_when_planning(folders, content, words):
    folders.root.mkdir()
    if isinstance(content, bytes):
        (folders.root / "f.npz").write_bytes(content)
    else:
        np.savez(folders.root / "f.npz", allow_pickle=False, **arrays(**content))
    with pytest.raises(DataDamaged, match=words):
        Embeddings(path="f.npz").fingerprint(folders)


def test_clean_features_have_no_findings(folders):
    folders.root.mkdir()
    np.savez(folders.root / "f.npz", allow_pickle=False, **arrays())
    assert audit_dataset("f", Embeddings(path="f.npz"), folders).findings == ()


def test_a_ground_truth_without_images_is_judged_by_itself(folders):
    from harness_dataset.descriptors import DescriptorGroundTruth

    folders.root.mkdir()
    (folders.root / "labels.txt").write_text("a\na\nb\nb\n")
    loader = DescriptorGroundTruth(folders.root / "labels.txt")
    assert audit_dataset("labels", loader, folders).findings == ()
    queries = [{"image": "x", "positives": ["y"]}, {"image": "z", "positives": ["y"], "junk": ["z"]}]
    (folders.root / "gnd.json").write_text(json.dumps({"imlist": ["x", "y", "z"], "queries": queries}))
    for audit in (audit_dataset, cheap_audit):
        (found,) = audit("gnd", DescriptorGroundTruth(folders.root / "gnd.json", leave_one_out=False), folders).findings
        assert (found.code, found.severity, found.files) == ("query-in-database", "error", ("x",))


def test_of_queries_that_do_not_find_themselves_only_copies_are_warned_of(instances, folders):
    INSTANCE_FAULTS["negative of itself"][0](instances)
    (found,) = audit_instances(folders, leave_one_out=True).findings
    assert (found.code, found.severity) == ("query-in-database", "note")
    assert "1 of 2 queries are in the database and do not find themselves there" in found.message
    INSTANCE_FAULTS["its own positive"][0](instances)
    assert not audit_instances(folders, leave_one_out=True).of("warning", "error")
    for audit in (cheap_audit, audit_dataset):
        assert audit("doors", ImageInstances(path="doors"), folders).of("note")
    assert cheap_audit("doors", ImageInstances(path="doors"), folders, counts_own=True).of("warning")
    write(instances)
    INSTANCE_FAULTS["its bytes under another name"][0](instances)
    (found,) = [f for f in audit_instances(folders, leave_one_out=True).findings if f.code == "query-in-database"]
    assert found.severity == "warning"
    assert "under another name, as a copy that is left out of their results" in found.message
    (found,) = cheap_audit("doors", ImageInstances(path="doors"), folders, by_name=True).of("error")
    assert "queries are under another name in the database and neither positive nor junk" in found.message


def test_errors_name_what_to_do(instances, folders):
    INSTANCE_FAULTS["negative of itself"][0](instances)
    with pytest.raises(DataDamaged) as caught:
        audit_instances(folders).require()
    assert "counts as a negative of itself" in str(caught.value)
    assert "make that image junk" in str(caught.value)
    assert str(Path("images") / "qa.png") in str(caught.value)


def test_a_folder_of_the_name_of_a_query_is_no_copy_of_it(tmp_path, monkeypatch):
    """Names of a ground truth for descriptors are no files, and folders of classes are called 0, 1, ..."""
    monkeypatch.chdir(tmp_path)
    for name in ("0", "1"):
        (tmp_path / name).mkdir()
    truth = [{"easy": (1 - query,), "junk": (query,)} for query in (0, 1)]
    dataset = RetrievalSet(
        name="labels",
        images=[Path("0"), Path("1")],
        queries=[Path("0"), Path("1")],
        boxes=[None, None],
        ground_truth=truth,
    )
    assert not list(judgement_findings(dataset))
