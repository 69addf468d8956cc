"""Which row of one side belongs to which of the other; refuses what must not be compared."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from harness.boards.board import Board, NotComparable
from harness.boards.comparison.sides import MeasuredRow, setting_key
from harness.runs.labels import Method, option

T = TypeVar("T")
_FIX: Final = "measure both sides on the same data with the same protocol"
_STATED: Final = re.compile(r"(\S+?)=(.*?)(?= \S+?=|$)")
UNKNOWN: Final = "parameters are not known: an older version wrote the results"


class Told(NamedTuple):
    """What tells a method or a protocol from others: its options, and which of them are not at their default."""

    options: Mapping[str, Any]
    non_default: frozenset[str]


@dataclass(frozen=True)
class Pair:
    """One method measured on both sides; ``news`` names parameters that only one side knows."""

    before: MeasuredRow
    after: MeasuredRow
    news: tuple[str, ...] = ()

    @property
    def certain(self) -> bool:
        """Whether both sides say which parameters they had: else what differs may be another method."""
        return self.before.parameters_known and self.after.parameters_known


@dataclass(frozen=True)
class Matched:
    """Pairs, and what only one side has."""

    pairs: tuple[Pair, ...]
    only_before: tuple[MeasuredRow, ...]
    only_after: tuple[MeasuredRow, ...]


def match(before: Sequence[MeasuredRow], after: Sequence[MeasuredRow]) -> Matched:
    """Match by data (fingerprint), protocol options, and name and parameters of each method; sources do not count.

    A parameter that only one side knows, and that is at its default there, does not part two methods where the match is
    clear: the other side is older. Rows of boards that an older version wrote, without parameters, are matched by what
    their labels say, and the pair is not ``certain``.

    Raises:
        NotComparable: one dataset has other data or other protocol options on each side, or nothing is shared.
    """
    pairs: list[Pair] = []
    ours, theirs = _by_setting(before), _by_setting(after)
    for a, b in _matched_settings(_boards(before), _boards(after)):
        news = _news(a.protocol, b.protocol, "protocol option ")
        ours_here, theirs_here = ours[setting_key(a)], theirs[setting_key(b)]
        couples = _couples(ours_here, theirs_here, _told_of_row, _names)
        couples += _couples_by_label(_unmatched(ours_here, couples), _unmatched(theirs_here, couples))
        pairs += [Pair(x, y, (*news, *_row_news(x, y))) for x, y in couples]
    return Matched(
        tuple(pairs),
        tuple(_unmatched(before, [(pair.before, pair.after) for pair in pairs])),
        tuple(_unmatched(after, [(pair.before, pair.after) for pair in pairs])),
    )


def _unmatched(rows: Iterable[MeasuredRow], couples: Iterable[tuple[MeasuredRow, MeasuredRow]]) -> list[MeasuredRow]:
    taken = {id(row) for couple in couples for row in couple}
    return [row for row in rows if id(row) not in taken]


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
    couples = _couples(before, after, _told_of_board, lambda b: f"{b.task} {b.fingerprint or b.dataset}")
    for board in before:
        same = [other for other in after if (other.task, other.fingerprint) == (board.task, board.fingerprint)]
        if same and not any(a.fingerprint == board.fingerprint for a, _ in couples):
            raise _other_protocol(board, same[0])
    if not couples:
        names = [", ".join(sorted({board.dataset for board in side})) or "nothing" for side in (before, after)]
        raise NotComparable(f"the sides have no dataset in common: {names[0]} and {names[1]}", fix=_FIX)
    return couples


def _refuse_other_data(before: Sequence[Board], after: Sequence[Board]) -> None:
    for board in before:
        named = [other for other in after if _same_name(board, other)]
        if named and board.fingerprint not in {other.fingerprint for other in named}:
            raise _other_data(board, named[0])


def _same_name(a: Board, b: Board) -> bool:
    """Whether both call their data the same; boards of older versions hold no more than a label."""
    if a.data is None or b.data is None:
        return (a.task, a.dataset) == (b.task, b.dataset)
    return (a.task, a.data.name, a.data.parameters) == (b.task, b.data.name, b.data.parameters)


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
    told: Callable[[T], Told],
    group: Callable[[T], str],
) -> list[tuple[T, T]]:
    """Equal ones; then, of the others, those that agree in all that both know, where there is one such on each side."""

    def exact(item: T) -> tuple[str, str]:
        return group(item), json.dumps(told(item).options, sort_keys=True)

    others: dict[tuple[str, str], list[T]] = defaultdict(list)
    for b in after:
        others[exact(b)].append(b)
    couples, rest = [], defaultdict(list)
    for a in before:
        same = others[exact(a)]
        if same:
            couples.append((a, same.pop(0)))  # one method from two sources is two rows, in one order on both sides
        else:
            rest[group(a)].append(a)
    left: dict[str, list[T]] = defaultdict(list)
    for (name, _), equal in others.items():
        left[name] += equal
    for name, ours in rest.items():
        near = [(a, b) for a in ours for b in left[name] if _agree(told(a), told(b))]
        couples += [(a, b) for a, b in near if sum(x is a or y is b for x, y in near) == 1]
    return couples


def _agree(a: Told, b: Told) -> bool:
    """One knows all that the other knows, no value differs, and what the other lacks is at its default."""
    older, newer = (a, b) if a.options.keys() <= b.options.keys() else (b, a)
    nested = older.options.keys() <= newer.options.keys()
    added = newer.options.keys() - older.options.keys()
    return (
        nested
        and all(newer.options[key] == value for key, value in older.options.items())
        and not (newer.non_default and added & newer.non_default)
    )


def _couples_by_label(
    before: Sequence[MeasuredRow], after: Sequence[MeasuredRow]
) -> list[tuple[MeasuredRow, MeasuredRow]]:
    """Rows of which one holds labels only, where one fits on each side."""
    near = [
        (a, b)
        for a in before
        for b in after
        if a.parameters_known != b.parameters_known and (_fits(a, b) if b.parameters_known else _fits(b, a))
    ]
    return [(a, b) for a, b in near if sum(x is a or y is b for x, y in near) == 1]


def _fits(labelled: MeasuredRow, known: MeasuredRow) -> bool:
    """Whether the labels of a row say nothing that the methods of another deny."""
    labels, methods = labelled.methods, known.methods
    return labels.keys() == methods.keys() and all(_says(labels[kind].name, methods[kind]) for kind in labels)


def _says(label: str, method: Method) -> bool:
    """Whether ``gem p=3`` may be this method."""
    name, *_ = label.split(" ")
    stated = dict(_STATED.findall(label))
    return name == method.name and all(
        key in method.parameters and text in _written(method.parameters[key]) for key, text in stated.items()
    )


def _written(value: Any) -> set[str]:
    """How labels write a value, and wrote it."""
    return {option(value), option(value, short=False), "" if value is None else str(value)}


def _names(row: MeasuredRow) -> str:
    return json.dumps([row.parameters_known, {kind: method.name for kind, method in row.methods.items()}])


def _told_of_row(row: MeasuredRow) -> Told:
    options = {f"{kind}.{name}": v for kind, method in row.methods.items() for name, v in method.parameters.items()}
    changed = {f"{kind}.{name}" for kind, method in row.methods.items() for name in method.non_default or ()}
    return Told(options, frozenset(changed))


def _told_of_board(board: Board) -> Told:
    return Told(board.protocol, frozenset(board.protocol_non_default or ()))


def _row_news(before: MeasuredRow, after: MeasuredRow) -> tuple[str, ...]:
    if not (before.parameters_known and after.parameters_known):
        return (UNKNOWN,)
    return _news(_told_of_row(before).options, _told_of_row(after).options)


def _news(before: Mapping[str, Any], after: Mapping[str, Any], what: str = "parameter ") -> tuple[str, ...]:
    added = [f"{what}{name}={after[name]} is new" for name in sorted(after.keys() - before.keys())]
    return (*added, *(f"{what}{name}={before[name]} is gone" for name in sorted(before.keys() - after.keys())))
