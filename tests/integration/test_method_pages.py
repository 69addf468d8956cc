"""Every built-in method is documented: formula, source, the meaning of each parameter, a page that says so."""

from __future__ import annotations

import importlib
import re
import unicodedata
from types import SimpleNamespace

import numpy as np
import pytest

import harness
from harness.registry import load_registry
from harness.registry.parameters import describe
from harness.runs.labels import Method
from harness.runs.record import Record


@pytest.fixture
def pages(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools" / "site"))
    return importlib.import_module("method_pages")


def test_every_method_says_its_formula_and_its_source(pages):
    found = [(entry, pages.documentation(entry.load())) for entry in pages.entries() if entry.kind != "dataset"]
    assert len(found) > 30
    assert [f"{entry.kind} {entry.name}" for entry, doc in found if not doc.formula] == []
    assert [f"{entry.kind} {entry.name}" for entry, doc in found if not doc.source] == []


def test_every_parameter_is_explained(pages):
    for entry in pages.entries():
        method = entry.load()
        known = {name for c in method.__mro__ for name in pages.documentation(c).parameters}
        assert {row.name for row in describe(method)} <= known, f"{entry.kind} {entry.name}"


def test_a_page_holds_what_the_registry_knows(pages, root):
    entry = load_registry().entry("pooling", "gem")
    text = "\n".join(pages._page(entry, root, None))
    assert "<math" in text
    assert "<mfrac>" in text
    assert "Source: Radenovic et al. 2018" in text
    assert re.search(r"\| `p` \| number > 0 or `inf` \| `3.0` \| exponent; ", text)
    assert re.search(r"\| \[first-look\]\(\S*\) \| gem \| ", text)
    assert "methods: {pooling: gem}" in text
    assert "@article{radenovic2018gem," in text


def test_a_page_says_where_a_method_stands_and_why_it_is_worse(root, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(root / "tools" / "site"))
    standing = importlib.import_module("method_standing")
    rng = np.random.default_rng(0)
    gain = {"random": 0.0, "jlp": -0.1, "margin": 0.05, "coreset": 0.0}
    records = [run_of(name, seed, 0.5 + by + rng.normal(0, 0.01)) for name, by in gain.items() for seed in range(6)]
    board = tmp_path / "leaderboards" / "measured"
    board.mkdir(parents=True)
    (board / "README.md").write_text("# measured")
    (board / "results.json").write_text(harness.leaderboard(records, format="json"))

    def section(kind, name):
        return "\n".join(standing.lines(load_registry().entry(kind, name), tmp_path))

    assert "Of 1 comparison with `random` on committed boards: worse in 1." in section("acquisition", "jlp")
    assert re.search(r"\| jlp \| .* \| 4 of 4 \| -10\.\d+ \(.*\) \| worse \|", section("acquisition", "jlp"))
    assert "Why it is worse there: It takes" in section("acquisition", "jlp")
    uneven = "spread over the classes less evenly than those of `random`: 0.0% of the largest entropy against 100.0%"
    assert uneven in section("acquisition", "jlp")
    assert "better in 1" in section("acquisition", "margin")
    assert "not significantly different in 1" in section("acquisition", "coreset")
    assert "Why" not in section("acquisition", "coreset")
    assert "Other methods of this kind are compared with it" in section("acquisition", "random")
    assert "No committed board has it" in section("acquisition", "badge")
    assert section("network", "small-cnn") == ""


def test_a_reason_names_the_parameters_of_the_rows(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools" / "site"))
    standing = importlib.import_module("method_standing")

    def rows(*parameters):
        methods = [{"learning": Method("pretrain", values)} for values in parameters]
        return [SimpleNamespace(board=None, row=SimpleNamespace(methods=of_row)) for of_row in methods]

    found = standing._reason("learning", "pretrain", rows({"pre_epochs": 10}, {"pre_epochs": 50}))
    assert found.startswith("The boards pre-train for 10 or 50 epochs")
    assert standing._reason("learning", "pretrain", rows({})) == ""
    assert standing._reason("learning", "semi", rows({})) == ""


def run_of(acquisition, seed, accuracy):
    method = {"plugin": "p", "version": "1", "origin": "o", "parameters": {}, "digest": "d"}
    return Record(
        id=f"{acquisition}{seed}",
        status="done",
        task="active-learning",
        protocol={},
        protocol_id="a",
        dataset={"name": "digits", "loader": "l", "parameters": {}, "fingerprint": "f"},
        methods={"acquisition": {"kind": "acquisition", "name": acquisition, **method}},
        seed=seed,
        metrics={f"accuracy@{n}": accuracy + n / 100 for n in (10, 20)},
        details={"cycles": [{}, {"picked": [10, 0] if acquisition == "jlp" else [5, 5]}]},
        started="",
        finished="",
    )


def test_every_method_has_notes_and_its_mathematics_is_converted(pages):
    notes = importlib.import_module("method_notes")
    known = {(entry.kind, entry.name): entry for entry in pages.entries()}
    written = {(kind, name) for kind, methods in notes._all().items() for name in methods}
    assert written == known.keys()
    for place, entry in known.items():
        own = notes.notes(entry)
        assert own.use, place
        assert own.avoid, place
        assert own.math or entry.kind in ("backbone", "dataset"), place  # layers, and what is no formula
        assert bool(own.math) == bool(own.where), place
        assert "$" not in "\n".join((*notes.formula(entry, ""), *notes.advice(entry))), place


def test_every_method_has_its_papers(pages):
    references = importlib.import_module("references")
    cited = {method for reference in references.references() for method in reference.methods}
    known = {f"{entry.kind}.{entry.name}": entry for entry in pages.entries()}
    assert cited <= known.keys()
    formats = {"dataset.descriptors", "dataset.embeddings", "dataset.image-classes", "dataset.image-instances"}
    own = {method for method, entry in known.items() if pages.documentation(entry.load()).source == "this project"}
    assert known.keys() - cited == (own | formats) - {"reranking.local-features"}  # which has features of a paper


def test_papers_are_those_that_the_docstrings_name(pages):
    references = importlib.import_module("references")
    for entry in pages.entries():
        method = f"{entry.kind}.{entry.name}"
        own = [reference for reference in references.references() if method in reference.methods]
        named = {(plain(author), r.fields["year"]) for r in own for author in r.authors}
        source = plain(pages.documentation(entry.load()).source)
        for author, year in re.findall(r"([A-Z][\w-]+)(?:(?: et al\.|,| and) ?[\w-]*)? (\d{4})", source):
            assert (author, year) in named, f"{method}: {author} {year}"


def plain(text):
    """Without accents, as docstrings have names."""
    letters = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def test_an_entry_of_bibtex_is_ascii_and_complete(pages):
    references = importlib.import_module("references")
    for reference in references.references():
        assert {"author", "title", "year"} < reference.fields.keys(), reference.key
        assert reference.bibtex().isascii(), reference.key
        assert reference.venue
    (found,) = [r for r in references.references() if r.key == "mikolajczyk2007improving"]
    assert "author    = {Mikolajczyk, Krystian and Matas, Ji{\\v r}{\\'\\i}}," in found.bibtex()
    assert "title     = {{Improving Descriptors" in found.bibtex()


def test_mathematics_that_cannot_be_converted_is_refused(pages):
    with pytest.raises(ValueError, match="not converted"):
        importlib.import_module("mathematics").inline(r"$\arg\min x$")


def test_types_are_plain_words_with_their_range(pages):
    plain = importlib.import_module("plain_types").plain_types
    registry = load_registry()
    types = {
        kind: plain(registry.entry(kind, name).load()) for kind, name in [("learning", "logistic"), ("pooling", "gem")]
    }
    assert types["learning"]["c"] == "`cross-validated` or number > 0"
    assert types["pooling"]["p"] == "number > 0 or `inf`"
    assert types["pooling"]["preset"] == "`thesis` or `released-code`"


def test_products_are_no_tags(pages):
    assert pages._escaped("of <g, h>, `a < b` and x < 1") == "of &lt;g, h>, `a < b` and x &lt; 1"


@pytest.mark.parametrize("name", ["random", "coreset", "jlp"])
def test_a_picture_is_drawn_once(pages, tmp_path, name):
    pictures = importlib.import_module("method_pictures")
    entry = load_registry().entry("acquisition", name)
    first = pictures.picture(entry, tmp_path)
    assert first.png.startswith(b"\x89PNG")
    files = sorted(tmp_path.iterdir())
    assert pictures.picture(entry, tmp_path) == first
    assert sorted(tmp_path.iterdir()) == files
