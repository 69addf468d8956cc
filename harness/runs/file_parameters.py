"""Parameters that name files: found beside the spec or below the data folder, and identified by their content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from harness.core.errors import DataMissing
from harness.data.fingerprint import file_digest, files_digest
from harness.plugin_api import DataFolders
from harness.registry.entries import FileParameter
from harness.registry.modules import is_built_in
from harness.registry.parameters import named_files

_NETWORKS: Final = " (docs/thesis.md says which networks are published and where)"


def file_parameters(
    label: str, method: type, values: Mapping[str, Any], places: Sequence[Path], folders: DataFolders
) -> dict[str, FileParameter]:
    """What the parameters of a method that name files lead to, by parameter.

    Args:
        label: how messages call the method.
        method: its class.
        values: parameters as a spec or a record has them.
        places: folders in which relative names are looked up, the first one first.
        folders: where digests of files are remembered.

    Raises:
        DataMissing: there is no such file in any of the places.
    """
    return {
        name: _parameter(f"{label}: {name}", text, places, folders, _help(label, method, name))
        for name, text in named_files(label, method, values).items()
    }


def _help(label: str, method: type, name: str) -> str:
    """Where a missing file may come from: what is known of weights."""
    if name != "weights":
        return ""
    if is_built_in(method.__module__):
        return _NETWORKS
    named = label.replace('"', "")  # pooling "mine"
    return f"; harness methods {named} --plugin FILE says what the parameter takes"


def _parameter(label: str, text: str, places: Sequence[Path], folders: DataFolders, more: str) -> FileParameter:
    named = Path(text).expanduser()
    candidates = [named] if named.is_absolute() else [place / named for place in places]
    path = next((candidate for candidate in candidates if candidate.exists()), None)
    if path is None:
        where = "" if named.is_absolute() else f" in {' or '.join(map(str, dict.fromkeys(places)))}"
        raise DataMissing(
            f"{label} names {text}, which is not there{where}",
            fix=f"put it there{more}",
        )
    path = path.resolve()
    return FileParameter(text, path, _content(path, folders))


def _content(path: Path, folders: DataFolders) -> str:
    """SHA-256 of a file, or of all files below a folder with their names; hidden files do not count."""
    if not path.is_dir():
        return file_digest(path, folders)
    files = [file for file in path.rglob("*") if file.is_file() and not file.name.startswith(".")]
    return files_digest(files, path, folders)
