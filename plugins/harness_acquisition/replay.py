"""The picks of earlier runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.errors import InvalidInput
from harness_acquisition.budget import spendable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class Replay:
    """The picks that an acquisition made in earlier runs, for training another model on them (Coleman et al. 2020).

    So a cheap model (embedding mode) can choose for a costly one. A record fits if its labels so far are those of the
    pool: of one seed, all runs start from the same labels, whatever the model.

    Formula:
        the picks of the record whose labels so far are those of the pool, in their order

    Attributes:
        runs: folder of the records, beside the spec.
        acquisition: whose picks.
        learning: name of the learning scheme of those runs; any if empty.
        network: name of their network; any if empty.
    """

    runs: Path
    acquisition: str
    learning: str = ""
    network: str = ""

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """The first ``budget`` picks of the record that fits.

        Raises:
            InvalidInput: no record fits, several with different picks do, or it has too few picks.
        """
        count = spendable(pool, budget)
        known = frozenset(pool.positions[pool.labelled].tolist())
        found = {picks[:count] for cycles in self._records() for picks in _next(cycles, known) if len(picks) >= count}
        if len(found) != 1:
            what = "several records with different picks fit" if found else "no record fits"
            raise InvalidInput(
                f'{what} the {len(known)} labels and a budget of {count} among the runs of "{self.acquisition}" '
                f"in {self.runs}",
                fix="run the same dataset, seeds and protocol there first; name learning and network",
            )
        place = {position: index for index, position in enumerate(pool.positions.tolist())}
        return np.array([place[position] for position in found.pop()], dtype=np.int64)

    def _records(self) -> Iterator[list[dict[str, Any]]]:
        """Cycles of the records that match the names."""
        wanted = {"acquisition": self.acquisition, "learning": self.learning, "network": self.network}
        for path in sorted(Path(self.runs).glob("*.json")):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                names = {kind: record["methods"][kind]["name"] for kind in wanted}
                cycles = record["details"]["cycles"]
            except (OSError, ValueError, KeyError, TypeError):
                continue  # another kind of record, or a failed run
            if all(not name or names[kind] == name for kind, name in wanted.items()):
                yield cycles


def _next(cycles: list[dict[str, Any]], known: frozenset[int]) -> Iterator[tuple[int, ...]]:
    """What was picked when exactly these examples had labels."""
    labelled: set[int] = set()
    for cycle, following in zip(cycles, cycles[1:], strict=False):
        labelled.update(cycle["labelled"])
        if labelled == known:
            yield tuple(following["labelled"])
