"""Which measurement of one side belongs to which of the other; refuses what must not be compared."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.boards.board import NotComparable
from harness.boards.measured import Measured, Setting

T = TypeVar("T")
_FIX = "measure both sides on the same data with the same protocol"


@dataclass(frozen=True)
class Pair:
    """One method measured on both sides; ``news`` names parameters that only one side knows."""

    before: Measured
    after: Measured
    news: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matched:
    """Pairs, and what only one side has."""

    pairs: tuple[Pair, ...]
    only_before: tuple[Measured, ...]
    only_after: tuple[Measured, ...]


def match(before: Sequence[Measured], after: Sequence[Measured]) -> Matched:
    """Match by data (fingerprint), protocol options, and name and parameters of each method; sources do not count.

    A parameter that only one side knows does not part two methods where the match is clear: the other side is older.

    Raises:
        NotComparable: one data set has other data or other protocol options on each side, or nothing is shared.
    """
    settings, news = _matched_settings(_settings(before), _settings(after))
    pairs: list[Pair] = []
    ours_by_key, theirs_by_key = _by_setting(before), _by_setting(after)
    for a, b in settings:
        ours, theirs = ours_by_key[a.key], theirs_by_key[b.key]
        found = _couples(ours, theirs, lambda m: _flat(m.methods), lambda m: _names(m.methods))
        pairs += [Pair(x, y, (*news[a.key], *_news(_flat(x.methods), _flat(y.methods)))) for x, y in found]
    taken = {id(pair.before) for pair in pairs} | {id(pair.after) for pair in pairs}
    return Matched(
        tuple(pairs),
        tuple(m for m in before if id(m) not in taken),
        tuple(m for m in after if id(m) not in taken),
    )


def _by_setting(measured: Iterable[Measured]) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = defaultdict(list)
    for one in measured:
        found[one.setting.key].append(one)
    return found


def _settings(measured: Iterable[Measured]) -> list[Setting]:
    return list({m.setting.key: m.setting for m in measured}.values())


def _matched_settings(
    before: Sequence[Setting], after: Sequence[Setting]
) -> tuple[list[tuple[Setting, Setting]], dict[str, tuple[str, ...]]]:
    _refuse_other_data(before, after)
    couples = _couples(before, after, lambda s: s.protocol, lambda s: f"{s.task} {s.fingerprint or s.dataset}")
    for setting in before:
        same = [other for other in after if (other.task, other.fingerprint) == (setting.task, setting.fingerprint)]
        if same and not any(a.fingerprint == setting.fingerprint for a, _ in couples):
            raise _other_protocol(setting, same[0])
    if not couples:
        names = [", ".join(sorted({s.dataset for s in side})) or "nothing" for side in (before, after)]
        raise NotComparable(f"the sides have no data set in common: {names[0]} and {names[1]}", fix=_FIX)
    return couples, {a.key: _news(a.protocol, b.protocol, "protocol option ") for a, b in couples}


def _refuse_other_data(before: Sequence[Setting], after: Sequence[Setting]) -> None:
    def name(s: Setting) -> str:
        return json.dumps([s.task, s.dataset, s.dataset_parameters], sort_keys=True)

    for setting in before:
        named = [other for other in after if name(other) == name(setting)]
        if named and setting.fingerprint not in {other.fingerprint for other in named}:
            raise _other_data(setting, named[0])


def _other_data(a: Setting, b: Setting) -> NotComparable:
    if not (a.fingerprint and b.fingerprint):
        reason = f'data set "{a.dataset}": one side does not say which data it holds, as results.json once did not'
        return NotComparable(reason, fix="write it again: harness leaderboard --format json")
    prints = f"{a.fingerprint[:12]} and {b.fingerprint[:12]}"
    return NotComparable(f'data set "{a.dataset}" holds other data on each side: fingerprints {prints}', fix=_FIX)


def _other_protocol(a: Setting, b: Setting) -> NotComparable:
    options = sorted({*a.protocol, *b.protocol})
    differing = [
        f"{name} {a.protocol.get(name, 'not there')} and {b.protocol.get(name, 'not there')}"
        for name in options
        if a.protocol.get(name) != b.protocol.get(name)
    ]
    return NotComparable(
        f'data set "{a.dataset}" was measured by another protocol on each side: {", ".join(differing)}', fix=_FIX
    )


def _couples(
    before: Sequence[T],
    after: Sequence[T],
    parameters: Callable[[T], Mapping[str, Any]],
    group: Callable[[T], str],
) -> list[tuple[T, T]]:
    """Equal ones; then, of the others, those that agree in all that both know, where there is one such on each side."""

    def exact(one: T) -> tuple[str, str]:
        return group(one), json.dumps(parameters(one), sort_keys=True)

    there: dict[tuple[str, str], T] = {exact(b): b for b in after}
    couples, rest = [], defaultdict(list)
    for a in before:
        same = there.pop(exact(a), None)
        if same is None:
            rest[group(a)].append(a)
        else:
            couples.append((a, same))
    left = defaultdict(list)
    for (name, _), b in there.items():
        left[name].append(b)
    for name, ours in rest.items():
        near = [(a, b) for a in ours for b in left[name] if _agree(parameters(a), parameters(b))]
        couples += [(a, b) for a, b in near if sum(x is a or y is b for x, y in near) == 1]
    return couples


def _agree(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """One knows all that the other knows, and no value differs."""
    nested = a.keys() <= b.keys() or b.keys() <= a.keys()
    return nested and all(a[key] == b[key] for key in a.keys() & b.keys())


def _names(methods: Mapping[str, tuple[str, Mapping[str, Any]]]) -> str:
    return json.dumps({kind: name for kind, (name, _) in methods.items()}, sort_keys=True)


def _flat(methods: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    return {f"{kind}.{name}": value for kind, (_, given) in methods.items() for name, value in given.items()}


def _news(before: Mapping[str, Any], after: Mapping[str, Any], what: str = "parameter ") -> tuple[str, ...]:
    added = [f"{what}{name}={after[name]} is new" for name in sorted(after.keys() - before.keys())]
    return (*added, *(f"{what}{name}={before[name]} is gone" for name in sorted(before.keys() - after.keys())))
