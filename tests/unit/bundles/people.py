"""Records of people who measured the same and other things, made without a run."""

from __future__ import annotations

import math

from harness.bundles.publishing import publish
from harness.registry import load_registry
from harness.registry.modules import HARNESS
from harness.runs.identity import protocol_identity, recorded_id
from harness.runs.record import Record
from harness.runs.store import Store

PLUGIN = """
from dataclasses import dataclass

from harness import hookimpl


@dataclass(frozen=True)
class Own:
    \"\"\"A pooling of person {number}.\"\"\"

    def pool(self, maps):
        return maps.mean((-2, -1)) + {number}


@hookimpl
def harness_register(registry):
    registry.pooling("own-{number}", Own)
"""


def record(pooling="gem", aps=(0.5,) * 8, *, digest="v1", plugin=HARNESS, fingerprint="f" * 64, size=256, **changes):
    """One record of a run that is done, with the id that follows from it."""
    options, data = {"image_size": size}, {"name": "set", "loader": "l", "parameters": {}, "digest": "v1"}
    method = {"kind": "pooling", "name": pooling, "parameters": {}, "version": "", "origin": "o"}
    aps = list(aps)
    made = Record.model_validate(
        {
            "id": "",
            "status": "done",
            "task": "retrieval",
            "protocol": options,
            "protocol_id": protocol_identity("retrieval", options, {}),
            "dataset": {**data, "fingerprint": fingerprint, "counts": {"queries": len(aps)}},
            "methods": {"pooling": {**method, "plugin": plugin, "digest": digest}},
            "seed": 0,
            "metrics": {"map_medium": math.fsum(aps) / len(aps)},
            "details": {"ap_medium": aps},
            "started": "2026-01-01T00:00:00+00:00",
            "finished": "2026-01-01T00:00:09+00:00",
            **changes,
        }
    )
    return made.model_copy(update={"id": recorded_id(made)})


def store(folder, *records):
    """A folder of records."""
    for one in records:
        Store(folder).write(one)
    return folder


def bundle(folder, *records, name="A. Example", **options):
    """The bundle of records."""
    return publish(store(folder / "runs", *records), folder / "out", measured_by=name, licence="CC0", **options).file


def ten_bundles(folder, plugins):
    """Of ten people, the first of whom have a plugin each; runs overlap; one has other data, one another protocol.

    One of them has other numbers of the same runs.
    """
    return [_bundle_of(number, folder / str(number), number < plugins) for number in range(10)]


def _bundle_of(number, folder, has_plugin):
    where = {"fingerprint": "e" * 64} if number == 8 else {"size": 512} if number == 9 else {}
    value = 0.6 if number == 3 else 0.4 + 1e-6 * number
    shared = [record(name, [value] * 8, seed=seed, **where) for name in ("gem", "mac") for seed in (0, 1)]
    own, plugins = record("spoc", [0.1 * number] * 8, seed=number, **where), []
    if has_plugin:
        folder.mkdir(parents=True)
        plugins = [folder / f"own_{number}.py"]
        plugins[0].write_text(PLUGIN.format(number=number))
        registry = load_registry(plugins)
        code = registry.identify("pooling", f"own-{number}", registry.create("pooling", f"own-{number}")).digest
        own = record(f"own-{number}", [0.1 * number] * 8, digest=code, plugin=plugins[0].name, **where)
    return bundle(folder, own, *shared[number % 3 :], name=f"Person {number}", plugins=plugins)
