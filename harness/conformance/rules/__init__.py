"""All rules, in the order in which they are tried."""

from __future__ import annotations

from functools import cache

from harness.conformance.rule import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule; loads neither torch nor a method."""
    from harness.conformance.rules import (
        acquisition,
        answers,
        backbone,
        dataset,
        definition,
        expansion,
        independence,
        learning,
        network,
        pooling,
        randomness,
        reranking,
        transport,
        whitening,
    )

    general = (definition, answers, randomness, independence, transport)
    special = (acquisition, learning, network, backbone, pooling, whitening, reranking, expansion, dataset)
    return _ordered([rule for module in (*general, *special) for rule in module.RULES])


def _ordered(rules: list[Rule]) -> tuple[Rule, ...]:
    """Each rule after those that it builds on, otherwise as they come."""
    ordered: list[Rule] = []
    names = {rule.name for rule in rules}
    while rules:
        placed = {rule.name for rule in ordered}
        following = next(rule for rule in rules if set(rule.after) & names <= placed)
        ordered.append(following)
        rules.remove(following)
    return tuple(ordered)


def rules_of(kind: str) -> tuple[Rule, ...]:
    """The rules that hold for methods of one kind."""
    return tuple(rule for rule in all_rules() if kind in rule.kinds)
