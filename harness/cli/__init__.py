"""The command line: parses, calls one documented function, prints. Exit codes: ``harness.core.errors``."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from typing import Final, NoReturn, TextIO

from harness.core.errors import BAD_DATA, Errors, FileUnusable, HarnessError
from harness.core.text import printable

_ERROR_CHARACTERS: Final = 100_000


def main() -> None:
    """Entry point of the command ``harness``: errors of users and plugins without traceback, bugs with one.

    This is the one place where what the system refuses (a folder that cannot be written to, a full disk, a standard
    output that is closed) becomes an error with a name.
    """
    _prepare_streams()
    # Pydantic looks for plugins of its own in all that is installed: a twentieth of the time of a small board.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from harness.cli.app import app

    warnings.showwarning = _show_warning
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except Errors as errors:
        _leave(str(errors), errors.exit_status)
    except HarnessError as error:
        _leave(str(error), error.exit_code)
    except OSError as error:
        _leave(str(FileUnusable.of(error)), BAD_DATA)


def _prepare_streams() -> None:
    """No text that is printed can raise; standard error that is closed gets nothing."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # as long as the process
    if sys.stdout is None:
        _leave(str(FileUnusable("standard output is closed", fix="redirect it: > /dev/null")), BAD_DATA)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def _leave(text: str, code: int) -> NoReturn:
    with contextlib.suppress(OSError):
        print(printable(text, _ERROR_CHARACTERS, keep="\n\t"), file=sys.stderr, flush=True)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:  # else Python tries it again at the end, and complains
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    raise SystemExit(code) from None


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """What the harness warns of is for its user: without the place in the source."""
    text = (
        str(message) if category is UserWarning else warnings.formatwarning(message, category, filename, lineno, line)
    )
    shown = printable(text.rstrip(), _ERROR_CHARACTERS, keep="\n\t")
    print(f"warning: {shown}", file=file or sys.stderr)
