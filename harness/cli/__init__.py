"""The command line: parses, calls one documented function, prints. Exit codes: ``harness.errors``."""

from __future__ import annotations

import sys

from harness.errors import INTERRUPTED, USER_MISTAKE, Errors, HarnessError


def main() -> None:
    """Entry point of the command ``harness``: errors of users and plugins without traceback, bugs with one."""
    from harness.cli.app import app

    try:
        app()
    except Errors as errors:
        print(errors, file=sys.stderr)
        raise SystemExit(errors.exit_status) from None
    except HarnessError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it was", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of a pipe has gone (harness methods | head): nothing to say.
        sys.stderr.close()
        raise SystemExit(USER_MISTAKE) from None
