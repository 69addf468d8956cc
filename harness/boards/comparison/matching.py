"""Which row of one side belongs to which of the other; refuses what must not be compared."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from harness.boards.board import Board, NotComparable
from harness.boards.comparison.sides import MeasuredRow, setting_key

T = TypeVar("T")
_FIX: Final = "measure both sides on the same data with the same protocol"


@dataclass(frozen=True)
class Pair:
    """One method measured on both sides; ``news`` names parameters that only one side knows."""

    before: MeasuredRow
    after: MeasuredRow
    news: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matched:
    """Pairs, and what only one side has."""

    pairs: tuple[Pair, ...]
    only_before: tuple[MeasuredRow, ...]
    only_after: tuple[MeasuredRow, ...]


def match(before: Sequence[MeasuredRow], after: Sequence[MeasuredRow]) -> Matched:
    """Match by data (fingerprint), protocol options, and name and parameters of each method; sources do not count.

    A parameter that only one side knows does not part two methods where the match is clear: the other side is older.

    Raises:
        NotComparable: one dataset has other data or other protocol options on each side, or nothing is shared.
    """
    pairs: list[Pair] = []
    ours, theirs = _by_setting(before), _by_setting(after)
    for a, b in _matched_settings(_boards(before), _boards(after)):
        news = _news(a.protocol, b.protocol, "protocol option ")
        couples = _couples(ours[setting_key(a)], theirs[setting_key(b)], _parameters, _names)
        pairs += [Pair(x, y, (*news, *_news(_parameters(x), _parameters(y)))) for x, y in couples]
    taken = {id(row) for pair in pairs for row in (pair.before, pair.after)}
    return Matched(
        tuple(pairs),
        tuple(row for row in before if id(row) not in taken),
        tuple(row for row in after if id(row) not in taken),
    )


def _by_setting(rows: Iterable[MeasuredRow]) -> dict[str, list[MeasuredRow]]:
    found: dict[str, list[MeasuredRow]] = defaultdict(list)
    for row in rows:
        found[row.setting].append(row)
    return found


def _boards(rows: Iterable[MeasuredRow]) -> list[Board]:
    """One board of each setting."""
    return list({row.setting: row.board for row in rows}.values())


def _matched_settings(before: Sequence[Board], after: Sequence[Board]) -> list[tuple[Board, Board]]:
    _refuse_other_data(before, after)
    couples = _couples(before, after, lambda b: b.protocol, lambda b: f"{b.task} {b.fingerprint or b.dataset}")
    for board in before:
        same = [other for other in after if (other.task, other.fingerprint) == (board.task, board.fingerprint)]
        if same and not any(a.fingerprint == board.fingerprint for a, _ in couples):
            raise _other_protocol(board, same[0])
    if not couples:
        names = [", ".join(sorted({board.dataset for board in side})) or "nothing" for side in (before, after)]
        raise NotComparable(f"the sides have no dataset in common: {names[0]} and {names[1]}", fix=_FIX)
    return couples


def _refuse_other_data(before: Sequence[Board], after: Sequence[Board]) -> None:
    def name(board: Board) -> str:
        records = [record for row in board.rows for record in row.records[:1]][:1]
        data = [[record.dataset.name, record.dataset.parameters] for record in records] or [[board.dataset, {}]]
        return json.dumps([board.task, *data], sort_keys=True)

    for board in before:
        named = [other for other in after if name(other) == name(board)]
        if named and board.fingerprint not in {other.fingerprint for other in named}:
            raise _other_data(board, named[0])


def _other_data(a: Board, b: Board) -> NotComparable:
    if not (a.fingerprint and b.fingerprint):
        reason = f'dataset "{a.dataset}": one side does not say which data it holds, as results.json once did not'
        return NotComparable(reason, fix="write it again: harness leaderboard --format json")
    prints = f"{a.fingerprint[:12]} and {b.fingerprint[:12]}"
    return NotComparable(f'dataset "{a.dataset}" holds other data on each side: fingerprints {prints}', fix=_FIX)


def _other_protocol(a: Board, b: Board) -> NotComparable:
    differing = ", ".join(
        f"{name} {a.protocol.get(name, 'absent')} and {b.protocol.get(name, 'absent')}"
        for name in sorted({*a.protocol, *b.protocol})
        if a.protocol.get(name) != b.protocol.get(name)
    )
    return NotComparable(f'dataset "{a.dataset}" was measured by another protocol on each side: {differing}', fix=_FIX)


def _couples(
    before: Sequence[T],
    after: Sequence[T],
    parameters: Callable[[T], Mapping[str, Any]],
    group: Callable[[T], str],
) -> list[tuple[T, T]]:
    """Equal ones; then, of the others, those that agree in all that both know, where there is one such on each side."""

    def exact(item: T) -> tuple[str, str]:
        return group(item), json.dumps(parameters(item), sort_keys=True)

    others: dict[tuple[str, str], T] = {exact(b): b for b in after}
    couples, rest = [], defaultdict(list)
    for a in before:
        same = others.pop(exact(a), None)
        if same is None:
            rest[group(a)].append(a)
        else:
            couples.append((a, same))
    left = defaultdict(list)
    for (name, _), b in others.items():
        left[name].append(b)
    for name, ours in rest.items():
        near = [(a, b) for a in ours for b in left[name] if _agree(parameters(a), parameters(b))]
        couples += [(a, b) for a, b in near if sum(x is a or y is b for x, y in near) == 1]
    return couples


def _agree(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """One knows all that the other knows, and no value differs."""
    nested = a.keys() <= b.keys() or b.keys() <= a.keys()
    return nested and all(a[key] == b[key] for key in a.keys() & b.keys())


def _names(row: MeasuredRow) -> str:
    return json.dumps({kind: method.name for kind, method in row.methods.items()}, sort_keys=True)


def _parameters(row: MeasuredRow) -> dict[str, Any]:
    return {
        f"{kind}.{name}": value for kind, method in row.methods.items() for name, value in method.parameters.items()
    }


def _news(before: Mapping[str, Any], after: Mapping[str, Any], what: str = "parameter ") -> tuple[str, ...]:
    added = [f"{what}{name}={after[name]} is new" for name in sorted(after.keys() - before.keys())]
    return (*added, *(f"{what}{name}={before[name]} is gone" for name in sorted(before.keys() - after.keys())))
