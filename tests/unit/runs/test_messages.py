"""What a worker may send: messages of the run in JSON; anything else ends the run, never the runner."""

from __future__ import annotations

import json
import os
import pickle
import time
from multiprocessing import Pipe

import pytest

from harness.runs.executors.messages import PROGRESS, RECORD, STARTED, WARNING, BadMessage, Messages, encoded
from harness.runs.record import DatasetRecord, MethodRecord, Record

POOLING = MethodRecord(
    kind="pooling", name="mac", parameters={}, plugin="p", version="1", digest="d", origin="entry point"
)
PLANNED = Record(
    id="a" * 24,
    status="missing",
    task="retrieval",
    protocol={},
    protocol_id="retrieval-1",
    dataset=DatasetRecord(name="toy", loader="toy", parameters={}, fingerprint="f"),
    methods={"pooling": POOLING},
    seed=0,
    started="",
    finished="",
)
DONE = PLANNED.model_copy(update={"status": "done", "metrics": {"map_easy": 0.5}, "details": {"ranks": [[1, 0]]}})


@pytest.fixture
def worker():
    """The messages of a run, and a function that sends bytes as its worker would."""
    ours, theirs = Pipe(duplex=False)
    yield Messages(ours, PLANNED), lambda content: os.write(theirs.fileno(), content)
    for pipe in (ours, theirs):
        pipe.close()


def record(**changes):
    return encoded(RECORD, PLANNED.id, {**DONE.model_dump(by_alias=True), **changes})


def test_messages_arrive_as_they_were_sent(worker):
    messages, send = worker
    send(encoded(STARTED, PLANNED.id, None) + encoded(PROGRESS, PLANNED.id, ["describe", 1, 3]))
    send(encoded(WARNING, PLANNED.id, "half \udc80\nof a pair\x1b") + record())
    assert list(messages.read()) == [
        (STARTED, None),
        (PROGRESS, ("describe", 1, 3)),
        (WARNING, "half \\udc80\nof a pair\\x1b"),
        (RECORD, DONE),
    ]
    assert messages.clean


def test_half_a_message_keeps_nobody_waiting(worker):
    messages, send = worker
    sent = record()
    send(sent[:50])
    began = time.monotonic()
    assert list(messages.read()) == []
    assert time.monotonic() - began < 30  # until the rest comes it would be for ever
    assert not messages.clean
    send(sent[50:])
    assert list(messages.read()) == [(RECORD, DONE)]


class Runs:
    """Code that a pickle runs where it is read."""

    def __reduce__(self):
        return os._exit, (66,)


FORGERIES = {
    "a pickle that runs code": pickle.dumps(Runs()) + b"\n",
    "no JSON": b"nonsense\n",
    "other JSON": b"7\n",
    "no text": b"\xff\xfe\n",
    "nothing": b"\n",
    "a list of the wrong length": b'["record", 1]\n',
    "nested too deep": b"[" * 30_000 + b"\n",
    "an unknown kind": encoded("surprise", PLANNED.id, None),
    "another run": encoded(STARTED, "b" * 24, None),
    "the id of no run": encoded(STARTED, "", None),
    "started with content": encoded(STARTED, PLANNED.id, 1),
    "progress without numbers": encoded(PROGRESS, PLANNED.id, ["a", "b", "c"]),
    "progress with flags": encoded(PROGRESS, PLANNED.id, ["a", True, 3]),
    "progress beyond all numbers": encoded(PROGRESS, PLANNED.id, ["a", 10**4000, 3]),
    "a warning that is none": encoded(WARNING, PLANNED.id, {"a": 1}),
    "a warning too long": encoded(WARNING, PLANNED.id, "x" * 10**5)[:60_000],
    "a record of another run": record(id="b" * 24),
    "a record of other methods": record(methods={}),
    "a record with another seed": record(seed=1),
    "a record that is missing": record(status="missing"),
    "a record with another protocol": record(protocol={"ks": [1]}),
    "a record with an unknown field": record(surprise=1),
    "a record with a text for a number": record(metrics={"map_easy": "0.9"}),
    "a record without a schema": record(schema=7),
    "NaN": record().replace(b"0.5", b"NaN"),
    "infinity": record().replace(b"0.5", b"1e999"),
    "half a surrogate pair": record(details={"notes": {"\udc80": "\udc80"}}),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_anything_else_is_refused(worker, name):
    messages, send = worker
    send(FORGERIES[name])
    if name == "a warning too long":
        list(messages.read())
        send(FORGERIES[name])
        send(b'"]\n')
    with pytest.raises(BadMessage):
        list(messages.read())


def test_a_flood_is_ended(monkeypatch, worker):
    messages, send = worker
    monkeypatch.setattr("harness.runs.executors.messages.RECORD_BYTES", 10**5)
    send(b'["record",' + b"1," * 25_000)
    assert list(messages.read()) == []
    send(b"1," * 25_000)
    with pytest.raises(BadMessage, match="more than"):
        list(messages.read())


def test_a_record_of_too_many_parts_is_refused_before_it_is_read(monkeypatch, worker):
    messages, send = worker
    monkeypatch.setattr("harness.runs.executors.messages._RECORD_CONTAINERS", 100)
    send(encoded(RECORD, PLANNED.id, {"details": {"a": [[]] * 200}}))
    with pytest.raises(BadMessage, match="too many parts"):
        list(messages.read())


def test_numbers_come_back_to_the_last_digit(worker):
    messages, send = worker
    value = 0.1 + 0.2
    send(record(metrics={"map_easy": value}, details={"ap_easy": [value, None, 1 / 3]}))
    ((_, arrived),) = messages.read()
    assert arrived.metrics["map_easy"] == value
    assert arrived.details == json.loads(json.dumps({"ap_easy": [value, None, 1 / 3]}))
