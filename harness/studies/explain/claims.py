"""Numbers as they are printed: ``81.67``, ``hard=38.47``, ``"mP@10 medium=84.67"``, ``0.6467``, ``64.67%``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.core.errors import BadParameter
from harness.metrics.ranking import SETUPS

_CLAIM: Final = re.compile(r"(?:(?P<label>[^=]*)=)?\s*(?P<number>\d+(?:\.(?P<decimals>\d+))?)\s*(?P<percent>%?)")
_LABEL: Final = re.compile(r"(?:(?P<symbol>[^@\s]+)(?:@(?P<k>\d+))?)?")
_SETUPS: Final = {**{setup: setup for setup in SETUPS}, **{setup[0]: setup for setup in SETUPS}}


@dataclass(frozen=True)
class Claim:
    """A published number.

    Attributes:
        text: as it was given.
        value: as it is printed.
        unit: one unit of its last decimal.
        decimals: how many it has.
        percent: whether it can only be percent: it says so, or is above 1.
        symbol: what is measured, in lower case (``map``, ``mp``, ``p``, ``recall``); empty where it is not said.
        k: at which rank; 0 where it is not said.
        setup: ``easy``, ``medium``, ``hard``; empty where it is not said.
    """

    text: str
    value: float
    unit: float
    decimals: int
    percent: bool
    symbol: str = ""
    k: int = 0
    setup: str = ""

    @property
    def label(self) -> str:
        """``mp@10 medium``."""
        return " ".join(filter(None, (f"{self.symbol}{f'@{self.k}' if self.k else ''}", self.setup)))


def parse_claims(texts: Sequence[str]) -> list[Claim]:
    """Numbers of one published row.

    Raises:
        BadParameter: something that is not a number, or a label that is not a metric and a set-up.
    """
    claims = [_parsed(text.strip()) for text in texts]
    if not claims:
        raise BadParameter("there is no number to explain", fix="harness explain 64.67 38.47")
    return claims


def _parsed(text: str) -> Claim:
    found = _CLAIM.fullmatch(text)
    if found is None:
        raise BadParameter(f'"{text}" is not a number', fix='64.67, hard=38.47, "mP@10 hard=53.00" or 64.67%')
    words = (found["label"] or "").lower().replace(",", " ").replace("(", " ").replace(")", " ").split()
    setups = [_SETUPS[word] for word in words if word in _SETUPS]
    label = _LABEL.fullmatch(" ".join(word for word in words if word not in _SETUPS))
    if label is None or len(setups) > 1:
        raise BadParameter(f'"{found["label"]}" is not a metric and a set-up', fix='such as "mP@10 hard"')
    decimals, value = len(found["decimals"] or ""), float(found["number"])
    return Claim(
        text,
        value,
        10.0**-decimals,
        decimals,
        bool(found["percent"]) or value > 1,
        label["symbol"] or "",
        int(label["k"] or 0),
        setups[0] if setups else "",
    )
