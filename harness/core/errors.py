"""The errors that a user or a plugin can cause: each says what is wrong, where, why, and how to fix it.

Everything else is a bug of the harness and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

# Exit codes of the command line.
DONE = 0
SOME_FAILED = 1
USER_MISTAKE = 2
BROKEN_PLUGIN = 3
BAD_DATA = 4
REGRESSION = 5
NOTHING_MEASURED = 6
UNEXPLAINED = 7
INTERRUPTED = 130
EXIT_CODES: Final[Mapping[int, str]] = {
    DONE: "done",
    SOME_FAILED: "some runs failed",
    USER_MISTAKE: "invalid input",
    BROKEN_PLUGIN: "a plugin is broken or missing",
    BAD_DATA: "data or files are missing, damaged or cannot be written",
    REGRESSION: "worse or not reproduced",
    NOTHING_MEASURED: "nothing measured, or inconclusive",
    UNEXPLAINED: "no evaluation protocol gives these numbers",
    INTERRUPTED: "interrupted",
}
"""What each says; the help of ``harness`` shows it."""


@dataclass(frozen=True)
class Location:
    """A place in a file: line and column count from 1; ``length`` characters are marked."""

    file: Path
    line: int = 0
    column: int = 0
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else str(self.file)

    def quote(self) -> str:
        """The line itself with a marker under it; empty where the file cannot be read."""
        try:
            lines = self.file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        if not 0 < self.line <= len(lines):
            return ""
        text, margin = lines[self.line - 1].replace("\t", " "), f"{self.line:>6} | "
        return f"{margin}{text}\n{' ' * (len(margin) - 2)}| {' ' * (self.column - 1)}{'^' * max(self.length, 1)}"


class HarnessError(Exception):
    """Base of all errors that are not bugs.

    Args:
        headline: what is wrong, one clause.
        where: file position, if there is one.
        why: the rule that was broken, if the headline does not say it.
        fix: what would be right.
    """

    code: ClassVar[str] = "E000"
    exit_code: ClassVar[int] = USER_MISTAKE

    def __init__(self, headline: str, *, where: Location | None = None, why: str = "", fix: str = "") -> None:
        super().__init__(headline)
        self.headline, self.where, self.why, self.fix = headline, where, why, fix

    def __str__(self) -> str:
        parts = [f"error[{self.code}] {self.headline}"]
        if self.where is not None:
            parts[0] += f"  ({self.where})"
            parts += [quoted] if (quoted := self.where.quote()) else []
        parts += [f"  why: {self.why}"] if self.why else []
        parts += [f"  fix: {self.fix}"] if self.fix else []
        return "\n".join(parts)


class SpecError(HarnessError):
    """A spec, a catalogue or a command says something that cannot be done."""

    code = "S100"


class UnknownName(SpecError):
    """A method, parameter, dataset or key that does not exist; ``parameter`` names the parameter, if it is one."""

    code = "S104"

    def __init__(self, headline: str, *, fix: str = "", parameter: str = "") -> None:
        super().__init__(headline, fix=fix)
        self.parameter = parameter


class BadParameter(SpecError):
    """A value of the wrong type or out of range; ``parameter`` names the parameter, if it is one."""

    code = "S105"

    def __init__(self, headline: str, *, fix: str = "", parameter: str = "") -> None:
        super().__init__(headline, fix=fix)
        self.parameter = parameter


class Errors(HarnessError):
    """Several errors found in one pass; they are shown together."""

    code = "S000"

    def __init__(self, errors: Sequence[HarnessError]) -> None:
        super().__init__(f"{len(errors)} errors")
        self.errors = tuple(errors)

    @property
    def exit_status(self) -> int:
        """The mistake of the user comes first; data that are missing only count alone."""
        codes = {error.exit_code for error in self.errors}
        return USER_MISTAKE if USER_MISTAKE in codes else max(codes)

    def __str__(self) -> str:
        return "\n\n".join(str(error) for error in self.errors)


class PluginError(HarnessError):
    """A plugin cannot be loaded, or claims a name that is taken."""

    code = "P200"
    exit_code = BROKEN_PLUGIN


class NameTaken(PluginError):
    """Two plugins claim one name of one kind."""

    code = "P201"


class ContractError(HarnessError):
    """A method returned something that its protocol does not allow."""

    code = "P300"
    exit_code = BROKEN_PLUGIN


class TrainingFailed(HarnessError):
    """A training that diverged or learnt nothing: its numbers say nothing of the methods."""

    code = "T700"
    exit_code = SOME_FAILED


class DataMissing(HarnessError):
    """Data that do not exist; says what to put where."""

    code = "D400"
    exit_code = BAD_DATA


class DataDamaged(HarnessError):
    """Data that exist but are wrong: counts, checksums, formats."""

    code = "D410"
    exit_code = BAD_DATA


class FileUnusable(HarnessError):
    """The system refuses to read or write a file, a folder or a standard stream that a user named."""

    code = "D440"
    exit_code = BAD_DATA

    @classmethod
    def of(cls, error: OSError, where: str | Path = "") -> FileUnusable:
        """What the system refused as an error with the name of the file; ``where`` is used where it says none."""
        place = where or error.filename or "standard output"
        fix = "make room, or choose another place, and run the same command again"
        if isinstance(error, BrokenPipeError):
            fix = "its reader ended early, as head does; write to a file, or let it read all"
        return cls(f"cannot use {place}: {error.strerror or error or type(error).__name__}", fix=fix)


class InvalidInput(HarnessError, ValueError):
    """An argument of a public function has a wrong shape, type or value."""

    code = "V500"


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean "gem"?`` or an empty string."""
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f'did you mean "{close[0]}"?' if close else ""


def nearest_or_all(name: str, known: Iterable[str], command: str) -> str:
    """``did you mean "gem"? (harness methods pooling lists all)``, or the command alone: it lists all names."""
    close = nearest(name, known)
    return f"{close} ({command} lists all)" if close else f"{command} lists all"
