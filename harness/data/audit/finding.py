"""What an audit finds, and how many files are named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from harness.core.errors import DataDamaged
from harness.core.text import sentence

Severity = Literal["error", "warning", "note"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")
_NAMED: Final = 3
_FILES: Final = 200
"""Files that a finding lists; there may be a million."""
_CHARACTERS: Final = 400


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        code: what it is, ``skipped-files``; the documentation has the list.
        severity: ``error`` stops, ``warning`` is worth a look, ``note`` says what is there.
        message: in a sentence.
        files: those it is about, the first 200.
        count: of all files, images or queries that it is about.
    """

    code: str
    severity: Severity
    message: str
    files: tuple[str, ...] = ()
    count: int = 1


def finding(code: str, severity: Severity, message: str, files: Iterable[object] = (), count: int = 0) -> Finding:
    """A finding whose message ends with the first of its files."""
    names = [str(file) for file in files]
    shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    text = sentence(f"{message}: {shown}" if names else message, _CHARACTERS)
    return Finding(code, severity, text, tuple(names[:_FILES]), count or len(names) or 1)


@dataclass(frozen=True)
class Audit:
    """The audit of a dataset.

    Attributes:
        name: of the dataset.
        fingerprint: of the data.
        findings: errors first.
        counts: what was looked at: images, labels per class.
        cheap: whether only what takes no reading of images was looked at.
    """

    name: str
    fingerprint: str
    findings: tuple[Finding, ...]
    counts: Mapping[str, Any] = field(default_factory=dict)
    cheap: bool = False

    def of(self, *severities: Severity) -> list[Finding]:
        """The findings of these severities."""
        return [found for found in self.findings if found.severity in severities]

    @property
    def sentences(self) -> list[str]:
        """Errors and warnings as text."""
        return [f"{found.severity}: {found.message}" for found in self.of("error", "warning")]

    def require(self) -> Audit:
        """This audit, if it found no error. Raises ``DataDamaged`` that lists them."""
        if not (errors := self.of("error")):
            return self
        lines = "".join(f"\n  - {found.message}" for found in errors)
        raise DataDamaged(
            f"numbers on {self.name} would be wrong:{lines}", fix="change the data (docs/how-to/audit.md says how)"
        )


def by_severity(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Errors first, then warnings, then notes."""
    return tuple(sorted(findings, key=lambda found: SEVERITIES.index(found.severity)))
