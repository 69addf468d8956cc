"""Where data and cache live: options first, then environment, then the user's own folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from harness.plugin_api import DataFolders

DATA_VARIABLE: Final = "HARNESS_DATA"
CACHE_VARIABLE: Final = "HARNESS_CACHE"
_NAME: Final = "vision-evaluation-harness"


def data_folders(data: str | Path | None = None, cache: str | Path | None = None) -> DataFolders:
    """The folders to use. Nothing is created here.

    Args:
        data: what the user supplied or downloaded; else ``$HARNESS_DATA``, else the XDG data folder.
        cache: what can be computed again; else ``$HARNESS_CACHE``, else the XDG cache folder.
    """
    return DataFolders(
        root=_folder(data, DATA_VARIABLE, "XDG_DATA_HOME", ".local/share"),
        cache=_folder(cache, CACHE_VARIABLE, "XDG_CACHE_HOME", ".cache"),
    )


_in_use: DataFolders | None = None


def use(folders: DataFolders) -> None:
    """Make these the folders in which ``located`` looks: those of the plan or run at work in this process."""
    global _in_use
    _in_use = folders


def located(path: str | Path) -> Path:
    """The file that a method's parameter names, such as weights: where it says, or else below the data folder.

    The second place makes parameters, and with them identities, the same on every machine.
    """
    file = Path(path).expanduser()
    if file.is_absolute() or file.exists():
        return file
    below = (_in_use or data_folders()).root / file
    return below if below.exists() else file


def _folder(option: str | Path | None, variable: str, xdg: str, fallback: str) -> Path:
    chosen = option or os.environ.get(variable)
    if chosen:
        return Path(os.path.realpath(os.path.expanduser(chosen)))  # pathlib's own raise for links that lead in a circle
    return Path(os.environ.get(xdg) or Path.home() / fallback) / _NAME
