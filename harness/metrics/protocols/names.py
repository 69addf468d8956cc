"""Names of metrics, for people and for specs: ``mAP(revisited, hard)``, ``mAP@100``, ``R@1``, ``ilias-map@1k``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.core.errors import UnknownName, nearest
from harness.metrics.protocols.catalogue import PROTOCOLS, Protocol
from harness.metrics.ranking import SETUPS

_CUT: Final = "-cut"
"""Ending of a protocol that is the one of the same name, up to a rank: ``map@100`` is ``map-cut`` at 100."""
_RANK: Final = re.compile(r"(\d+k?)?")
_WRITTEN: Final = re.compile(rf"(?P<id>[a-z0-9.-]+?)(?:@(?P<k>\d+k?))?(?:_(?P<setup>{'|'.join(SETUPS)}))?")


@dataclass(frozen=True, order=True)
class MetricName:
    """A protocol, the rank it is cut at, and a set-up.

    Attributes:
        protocol: its id, ``gldv2-map``.
        k: 0 where the protocol has none.
        setup: ``easy``, ``medium``, ``hard``; empty where the ground truth does not tell them apart, or for all.
    """

    protocol: str
    k: int = 0
    setup: str = ""

    @property
    def definition(self) -> Protocol:
        """What the protocol is."""
        return PROTOCOLS[self.protocol]

    @property
    def key(self) -> str:
        """As specs and records have it: ``gldv2-map@100_hard``."""
        cut, setup = f"@{self.k}" if self.k else "", f"_{self.setup}" if self.setup else ""
        return f"{self.protocol.removesuffix(_CUT)}{cut}{setup}"

    def __str__(self) -> str:
        """As tables have it: ``mAP@100(gldv2, hard)``."""
        definition = self.definition
        inside = ", ".join(filter(None, (definition.family, self.setup)))
        return f"{definition.symbol}{f'@{self.k}' if self.k else ''}{f'({inside})' if inside else ''}"


def parse_name(text: str) -> MetricName:
    """A name as ``str`` or ``key`` of a ``MetricName`` gives it; a missing k is the usual one of the protocol.

    Raises:
        UnknownName: no such protocol, with the nearest; a k where the protocol has none.
    """
    written = _WRITTEN.fullmatch(text.strip())
    if written:
        cut = f"{written['id']}{_CUT}"
        protocol = cut if written["k"] and cut in PROTOCOLS else written["id"]
        if protocol in PROTOCOLS:
            return _named(text, protocol, written["k"], written["setup"] or "")
    head, _, rest = text.strip().removesuffix(")").partition("(")
    inside = [part.strip() for part in rest.split(",") if part.strip()]
    setup = inside.pop() if inside and inside[-1] in SETUPS else ""
    for definition in PROTOCOLS.values():
        name, _, k = head.strip().rpartition("@") if definition.ks and "@" in head else (head.strip(), "", "")
        wanted = (definition.symbol.lower(), definition.family)
        if (name.lower(), ", ".join(inside)) == wanted and bool(definition.ks) >= bool(k) and _RANK.fullmatch(k):
            return _named(text, definition.id, k or None, setup)
    known = [*PROTOCOLS, *(str(MetricName(d.id, d.ks[0] if d.ks else 0)) for d in PROTOCOLS.values())]
    raise UnknownName(f'unknown protocol "{text}"', fix=f"{nearest(text, known)} (harness evaluate --list)".strip())


def _named(text: str, protocol: str, k: str | None, setup: str) -> MetricName:
    definition = PROTOCOLS[protocol]
    if k is not None and not definition.ks:
        raise UnknownName(f'protocol "{protocol}" has no @{k}', fix=f"name it {protocol}")
    if not definition.ks:
        return MetricName(protocol, 0, setup)
    number = definition.ks[0] if k is None else int(k.removesuffix("k")) * (1000 if k.endswith("k") else 1)
    if number < 1:
        raise UnknownName(f'"{text}" is cut at rank {number}', fix="ranks are at least 1")
    return MetricName(protocol, number, setup)


def expand_names(text: str) -> list[MetricName]:
    """The metrics of ``all``, of a family (``trec``), of a protocol with its usual ranks, or of one name.

    Raises:
        UnknownName: as ``parse_name``.
    """
    if text == "all":
        chosen: Sequence[Protocol] = list(PROTOCOLS.values())
    elif text in PROTOCOLS:
        chosen = [PROTOCOLS[text]]
    else:
        chosen = [definition for definition in PROTOCOLS.values() if definition.family == text != ""]
    if not chosen:
        return [parse_name(text)]
    return [MetricName(definition.id, k) for definition in chosen for k in definition.ks or (0,)]
