"""The catalogue holds what the issue asks for, fits the loaders, and takes files of users."""

from __future__ import annotations

import os

import pytest

from harness.core.document import read_document
from harness.core.errors import Errors, HarnessError, SpecError
from harness.data import catalogue as module
from harness.data.catalogue import catalogue, catalogue_files
from harness.data.folders import data_folders
from harness.registry import load_registry
from harness.runs.plan import make_plan

ASKED = """mnist svhn cifar10 cifar100 roxford5k rparis6k roxford5k-r1m rparis6k-r1m instre oxford5k paris6k
    image-classes image-instances synthetic-instances digits"""

MINE = """\
mine:
  loader: toy-images
  task: retrieval
  parameters: {count: 8}
  description: mine
  protocol: revisited
  source: drawn
  licence: mine
"""
SPEC = "name: a\ntask: retrieval\ndatasets: mine\nmethods: {backbone: tiny, pooling: mac}\n"


def test_every_dataset_that_was_asked_for_is_there():
    assert set(ASKED.split()) <= set(catalogue())


def test_loaders_exist_and_take_the_parameters():
    registry = load_registry()
    for name, entry in catalogue().items():
        needs_path = name in ("image-classes", "image-instances")
        loader = registry.create("dataset", entry.loader, **entry.parameters, **({"path": "x"} if needs_path else {}))
        assert loader.task == entry.task, name


def test_it_is_what_its_file_says_as_files_of_users_are_read():
    """Those keep the position of each value, which takes twice as long."""
    again = module._entries(read_document(module._built_in_path(), "catalogue"))
    assert repr(dict(module._built_in())) == repr(again)


def test_an_entry_is_read_when_it_is_asked_for(monkeypatch):
    """A spec names one or two of twenty; reading all takes a tenth of the time of a small board."""
    read, entries = [], module._entries
    monkeypatch.setattr(module, "_entries", lambda document: read.append(list(document.data)) or entries(document))
    monkeypatch.setattr(module, "read_document", None)  # with positions: only where something is wrong
    built_in = module._built_in.__wrapped__()
    assert "digits" in list(built_in)
    assert not read
    assert built_in["digits"] is built_in["digits"]
    assert read == [["digits"]]
    assert built_in["roxford5k-r1m"].files  # those of another entry
    assert read == [["digits"], list(built_in)]
    assert len(dict(built_in)) == len(built_in)
    assert len(read) == 2
    with pytest.raises(KeyError):
        built_in["digit"]


@pytest.mark.parametrize(
    ("old", "new", "line"), [("task: retrieval", "task: retreival", 3), ("licence", "license", 8), ("name", "[", 1)]
)
def test_a_mistake_in_it_is_shown_with_its_place(tmp_path, monkeypatch, old, new, line):
    file = tmp_path / "datasets.yaml"
    file.write_text(MINE.replace("mine:\n", "name:\n", 1).replace(old, new))
    monkeypatch.setattr(module, "_built_in_path", lambda: file)
    with pytest.raises(HarnessError) as found:
        dict(module._built_in.__wrapped__())
    assert f"datasets.yaml:{line}:" in str(found.value)


def test_every_entry_says_where_its_data_come_from():
    for name, entry in catalogue().items():
        assert entry.source, name
        assert entry.licence, name
        assert entry.files or name in ("digits", "synthetic-instances", "image-classes", "image-instances", "sfm120k")
        assert all(file.checksum for file in entry.files) or not entry.checksum_source


def test_parts_become_single_files():
    parts = catalogue()["roxford5k-r1m"].files[-1].files()
    assert len(parts) == 100
    assert parts[0].name == "revisitop1m.1.tar.gz"
    assert parts[99].urls[0].endswith("/jpg/revisitop1m.100.tar.gz")


@pytest.mark.slow
def test_checksums_are_those_that_torchvision_publishes():
    from torchvision import datasets as published

    from harness_dataset import cifar, svhn

    entries = catalogue()
    for file, (name, md5) in zip(entries["mnist"].files, published.MNIST.resources, strict=True):
        assert (file.name, file.checksum) == (name, f"md5:{md5}")
    for file, (name, md5) in zip(entries["fashion-mnist"].files, published.FashionMNIST.resources, strict=True):
        assert (file.name, file.checksum) == (name, f"md5:{md5}")
        assert file.urls == (f"{published.FashionMNIST.mirrors[0]}{name}",)
    for file, part in zip(entries["usps"].files, ("train", "test"), strict=True):
        assert (file.urls[0], file.name, file.checksum.removeprefix("md5:")) == tuple(published.USPS.split_list[part])
    for file, part in zip(entries["svhn"].files, ("train", "test"), strict=True):
        url, name, md5 = published.SVHN.split_list[part]
        assert (file.urls[0], file.name, file.checksum) == (url, name, f"md5:{md5}")
        assert svhn._FILES[part] == (name, md5)
    for name, source, classes in (("cifar10", published.CIFAR10, 10), ("cifar100", published.CIFAR100, 100)):
        (file,) = entries[name].files
        assert (file.urls[0], file.name, file.checksum) == (source.url, source.filename, f"md5:{source.tgz_md5}")
        files = cifar._CIFAR[classes]
        assert list(files.train.items()) == [tuple(pair) for pair in source.train_list]
        assert list(files.test.items()) == [tuple(pair) for pair in source.test_list]
        assert files.meta == {source.meta["filename"]: source.meta["md5"]}
        assert files.names == source.meta["key"]


def test_a_dataset_of_the_users_beside_the_spec(tmp_path, toy):
    (tmp_path / "datasets.yaml").write_text(MINE)
    (tmp_path / "spec.yaml").write_text(SPEC + f"plugins: [{toy}]\n")
    (run,) = make_plan(tmp_path / "spec.yaml", data_folders()).runs
    assert run.dataset.name == "mine"
    assert run.dataset.fingerprint.endswith("8")


def test_files_of_the_option_and_of_the_variable(tmp_path, monkeypatch):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(MINE)
    second.write_text(MINE.replace("mine:", "other:", 1))
    monkeypatch.setenv("HARNESS_CATALOGUE", os.pathsep.join([str(second)]))
    assert {"mine", "other"} <= set(catalogue(catalogue_files([first])))


def test_a_name_that_is_taken_is_refused_and_both_places_named(tmp_path):
    path = tmp_path / "datasets.yaml"
    path.write_text(MINE.replace("mine:", "digits:", 1))
    with pytest.raises(SpecError) as caught:
        catalogue([path])
    assert 'duplicate dataset "digits"' in str(caught.value)
    assert f"{path}:1:1" in str(caught.value)


def test_the_catalogue_of_the_harness_may_be_given_again(root):
    assert catalogue([root / "datasets.yaml"]) == catalogue()


MISTAKES = [
    ("  paramters: {}\n", 'did you mean "parameters"?'),
    ("  counts: {train: 3}\n", "retrieval counts images, queries"),
    ("  files: [{name: a/b, urls: [https://a.b/c], to: x}]\n", "a file name without folders"),
    ("  files: [{name: a, urls: ['file:///etc/passwd'], to: x}]\n", "starts with https://"),
    ("  files: [{name: a, urls: [], to: x}]\n", "at least one address"),
    ("  files: [{name: a, urls: [https://a.b/c], to: ../x}]\n", "without .."),
    ("  files: [{name: a, urls: [https://a.b/c], to: /x}]\n", "below the data folder"),
    ("  files: [{name: a, urls: [https://a.b/c], to: x, checksum: md5:12}]\n", "lower-case hexadecimal"),
    ("  files: [{name: a, urls: [https://a.b/c], to: x, parts: 3}]\n", "{part}"),
    ("  files: [{name: a, urls: [https://a.b/c], to: x, unpack: zip}]\n", "'flat'"),
    ("  files: [{name: a, urls: [https://a.b/c], to: x, too: x}]\n", 'did you mean "to"?'),
    (f"  files: [{{name: a, urls: [https://a.b/c], to: x, checksum: 'md5:{'0' * 32}'}}]\n", "checksum_source"),
]


@pytest.mark.parametrize(("line", "words"), MISTAKES, ids=[words for _, words in MISTAKES])
def test_a_mistake_is_shown_with_its_place(tmp_path, line, words):
    path = tmp_path / "datasets.yaml"
    path.write_text(MINE + line)
    with pytest.raises(Errors) as caught:
        catalogue([path])
    assert words in str(caught.value)
    assert f"{path}:" in str(caught.value)
    assert len(caught.value.errors) == 1


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(HarnessError, match="cannot read") as caught:
        catalogue([tmp_path / "gone.yaml"])
    assert "catalogue" in str(caught.value)
