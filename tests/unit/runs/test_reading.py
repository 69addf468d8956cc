"""Records are read with or without their rankings; what else stands in them stays."""

from __future__ import annotations

import pytest

from harness.core.errors import DataDamaged
from harness.core.signed import signed
from harness.runs.identity import protocol_identity, recorded_id
from harness.runs.record import Record
from harness.runs.store import Store, _without_ranks

METHOD = {"plugin": "p", "version": "1", "digest": "d", "origin": "o"}


def record(details, parameters=None, environment=None):
    made = Record(
        id="one",
        status="done",
        task="retrieval",
        protocol={},
        protocol_id=protocol_identity("retrieval", {}, {}),
        dataset={"name": "set", "loader": "l", "parameters": parameters or {}, "fingerprint": "f"},
        methods={"pooling": {"kind": "pooling", "name": "gem", "parameters": {}, **METHOD}},
        seed=0,
        metrics={"mp@1_easy": 0.5},
        details=details,
        environment=environment or {"ranks": [1], "list": ["a"]},
        started="",
        finished="",
    )
    return made.model_copy(update={"id": recorded_id(made)})


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"ap_easy": [0.5], "ranks": [[1, 2], [3]]}, {"ap_easy": [0.5], "ranks": []}),
        ({"ranks": [[1, 2], [3]], "z": [[4]]}, None),
        ({"ranks": [[1, 2], []]}, {"ranks": []}),
        ({"ranks": []}, {"ranks": []}),
        ({"inner": {"ranks": [[1]]}}, None),
        ({"text": 'a "ranks": [\n 1', "ranks": [[1]]}, {"text": 'a "ranks": [\n 1', "ranks": []}),
        ({}, None),
    ],
)
def test_only_the_rankings_are_left_out(tmp_path, details, expected):
    made = record(details, {"ranks": [[7]], "details": {"ranks": [[8]]}})
    Store(tmp_path).write(made)
    assert Store(tmp_path).read_all() == [made]
    (found,) = Store(tmp_path, ranks=False).read_all()
    if expected is None:  # of another form than rankings have: read whole, or without
        assert found.details in (details, {**details, "ranks": []})
    else:
        assert found.details == expected
    assert found.model_copy(update={"details": made.details}) == made


def test_lists_behind_the_rankings_are_not_lost(tmp_path):
    made = record({"ranks": [[1, 2], [3]]}, environment={"lists": [[1]]})
    Store(tmp_path).write(made)
    assert Store(tmp_path, ranks=False).read_all() == [made]


def test_damage_to_the_rankings_is_seen_although_they_are_not_read(tmp_path):
    made = record({"ranks": [[1, 2], [3]]})
    Store(tmp_path).write(made)
    path = Store(tmp_path).path(made.id)
    path.write_bytes(path.read_bytes().replace(b"2", b"9"))
    with pytest.raises(DataDamaged, match="checksum differs"):
        Store(tmp_path, ranks=False).read(made.id)


def test_a_text_that_is_cut_off_stays_as_it_is():
    text = signed({"details": {"ranks": [[1]]}})
    cut = text[: text.index(b"]")]
    assert _without_ranks(cut) == cut
