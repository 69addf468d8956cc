"""The command line: parses, calls one documented function, prints. Exit codes: ``harness.core.errors``."""

from __future__ import annotations

import sys
import warnings
from typing import TextIO

from harness.core.errors import INTERRUPTED, USER_MISTAKE, Errors, HarnessError


def main() -> None:
    """Entry point of the command ``harness``: errors of users and plugins without traceback, bugs with one."""
    from harness.cli.app import app

    warnings.showwarning = _show_warning
    try:
        app()
    except Errors as errors:
        print(errors, file=sys.stderr)
        raise SystemExit(errors.exit_status) from None
    except HarnessError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("interrupted; run the same command again to resume", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of a pipe has gone (harness methods | head): nothing to say.
        sys.stderr.close()
        raise SystemExit(USER_MISTAKE) from None


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
    print(f"warning: {text.rstrip()}", file=file or sys.stderr)
