"""What ``harness verify`` said of each built-in method, stored by ``make evidence``: pages show it without computing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.conformance.evidence import summary, verify, without_reference
from harness.registry import Entry

STORED = Path(__file__).with_name("evidence.json")
_REFERENCES = Path(__file__).parents[2] / "plugins" / "harness_evidence"


def lines(entry: Entry) -> Iterator[str]:
    """The paragraph of a method's page."""
    verdict = _stored()["methods"].get(f"{entry.kind}:{entry.name}", {})
    if not verdict:
        yield f"Evidence: {without_reference(entry.kind)} (`harness check`).\n"
        return
    reference = verdict["reference"].rstrip(".")
    yield (
        f"Evidence: {verdict['line']}. The reference, in float64: {reference[0].lower()}{reference[1:]}. "
        f"`harness verify {entry.kind}:{entry.name}` compares them again.\n"
    )


def digests() -> dict[str, str]:
    """SHA-256 of each file with references and their cases."""
    files = sorted(_REFERENCES.glob("*.py"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@cache
def _stored() -> Mapping[str, Any]:
    return json.loads(STORED.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def write() -> None:
    """Compare all built-in methods with their references and store what comes of it."""
    verdicts = verify("vision-evaluation-harness")
    if wrong := [f"{verdict.method} {verdict.line}" for verdict in verdicts if not verdict.holds]:
        raise SystemExit("\n".join(wrong))
    compared = [verdict for verdict in verdicts if verdict.reference]
    methods = {verdict.method: {"line": verdict.line, "reference": verdict.reference} for verdict in compared}
    stored = {"digests": digests(), "methods": methods}
    STORED.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(summary(verdicts))


if __name__ == "__main__":
    write()
