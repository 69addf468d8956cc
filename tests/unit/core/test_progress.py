from __future__ import annotations

from harness.core.progress import PartialProgress, track


class Kept:
    def __init__(self):
        self.said = []

    def update(self, label, done, total):
        self.said.append((label, done, total))


def test_a_part_counts_on_from_the_parts_before_it():
    kept = Kept()
    assert list(track("ab", 2, "read", PartialProgress(kept, 3, 5))) == ["a", "b"]
    assert kept.said == [("read", 3, 5), ("read", 4, 5), ("read", 5, 5)]
