"""Acquisitions that ask within a batch, and those that remember."""

from __future__ import annotations

import pytest
from blobs import DATA, Counting, run

from harness.active.choosing import ASKS, advantages
from harness.cache import Cache
from harness.core.errors import ContractError
from harness_acquisition.galaxy import Galaxy
from harness_acquisition.random import Random


class Asking:
    """Asks for the first ``questions`` and picks ``picks`` of them and of the others."""

    def __init__(self, questions=4, start=0):
        self.questions, self.start, self.answers = questions, start, []

    def select(self, pool, budget, rng):
        return pool.unlabelled[self.start :][:budget]

    def select_asking(self, pool, budget, rng, ask):
        self.answers += [(int(pool.positions[i]), ask(int(i))) for i in pool.unlabelled[: self.questions]]
        return self.select(pool, budget, rng)


def test_the_annotator_gives_the_labels_that_are_then_known():
    asking = Asking()
    result = run(asking)
    assert len(asking.answers) == 8
    assert all(answer == DATA.train_labels[position] for position, answer in asking.answers)
    assert [position for position, _ in asking.answers[:4]] == list(result.cycles[1].labelled)


@pytest.mark.parametrize(
    ("asking", "match"),
    [
        (Asking(questions=5), "more labels than its budget of 4"),
        (Asking(start=1), "and did not pick it"),
    ],
)
def test_a_question_has_to_be_paid_for(asking, match):
    with pytest.raises(ContractError, match=match):
        run(asking)


def test_a_labelled_example_has_no_question():
    class Again(Asking):
        def select_asking(self, pool, budget, rng, ask):
            ask(int(pool.labelled[0]))
            return self.select(pool, budget, rng)

    with pytest.raises(ContractError, match="which has one"):
        run(Again())


class Remembering:
    def __init__(self):
        self.memories = []

    def select(self, pool, budget, rng):
        return pool.unlabelled[:budget]

    def select_remembering(self, pool, budget, rng, memory):
        self.memories.append(None if memory is None else memory["picks"].tolist())
        picks = self.select(pool, budget, rng)
        return picks, {"picks": picks}


def test_a_memory_lasts_until_the_next_cycle_and_over_an_interruption(tmp_path):
    whole = Remembering()
    run(whole)
    first, second = whole.memories
    assert first is None
    assert len(second) == 4
    cache = Cache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(Remembering(), cache, Counting(stop_after=1))
    again = Remembering()
    run(again, cache)
    assert again.memories == [second]


def test_what_cannot_be_stored_is_no_memory():
    class Hoarder(Remembering):
        def select_remembering(self, pool, budget, rng, memory):
            return self.select(pool, budget, rng), {"pool": pool}

    with pytest.raises(ContractError, match='remembers "pool"'):
        run(Hoarder())


def test_readers_of_a_table_are_told_who_asks():
    assert advantages(Galaxy(), 3) == [ASKS]
    assert advantages(Random(), 3) == []
