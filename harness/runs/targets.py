"""Where results come from: a folder of records, one record, a spec, a leaderboard; each of them also at a commit."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from harness.core.errors import DataDamaged, SpecError
from harness.runs.record import Record
from harness.runs.results import Results
from harness.runs.store import Store, read_record

RESULTS: Final = "results.json"
_FIX: Final = (
    "give a folder of records, a record, a spec, a results.json of a leaderboard, or COMMIT:PATH of one of them in git"
)


def find_results(
    target: str | Path, *, plugins: Sequence[str] = (), data: str | Path | None = None, runs: str | Path | None = None
) -> Results:
    """The results that a word of the command line names.

    Args:
        target: a folder of records, a record, a spec, a ``results.json`` or the folder that holds one, or
            ``COMMIT:PATH`` of a folder or file in git.
        plugins: files or modules with methods, for a spec.
        data: folder of the user's data, for a spec.
        runs: folder of the records, for a spec (default ``runs`` beside it).

    Raises:
        SpecError: there is nothing of this name.
        DataDamaged: a file is neither a record nor the results of a leaderboard.
    """
    path, text = Path(target), str(target)
    if path.is_dir():
        return _folder(path, text)
    if path.suffix in (".yaml", ".yml"):
        return Results(text, tuple(_planned(path, plugins, data, runs)))
    if path.is_file():
        return _file(path, text)
    if ":" in text:
        return _committed(text)
    raise SpecError(f"there is no {target}", fix=_FIX)


def _folder(path: Path, name: str) -> Results:
    if (path / RESULTS).is_file():
        return _file(path / RESULTS, name)
    return Results(name, tuple(Store(path).read_all()))


def _file(path: Path, name: str) -> Results:
    boards = _boards(path)
    return Results(name, boards=boards) if boards is not None else Results(name, (read_record(path),))


def _boards(path: Path) -> tuple[Mapping[str, Any], ...] | None:
    """The boards of a ``results.json``; None where the file is something else."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # read_record says what is wrong
    boards = content.get("boards") if isinstance(content, dict) else None
    if boards is None:
        return None
    if not isinstance(boards, list) or not all(isinstance(b, dict) and isinstance(b.get("rows"), list) for b in boards):
        raise DataDamaged(f"{path} is not the JSON of a leaderboard", fix="harness leaderboard --format json writes it")
    return tuple(boards)


def _planned(path: Path, plugins: Sequence[str], data: str | Path | None, runs: str | Path | None) -> list[Record]:
    from harness.data.folders import data_folders
    from harness.runs.plan import make_plan
    from harness.runs.runner import planned_records, runs_store

    plan = make_plan(path, data_folders(data), plugins=tuple(plugins))
    return planned_records(plan, runs_store(plan, runs))


def _committed(target: str) -> Results:
    """``COMMIT:PATH``: a folder or file as it was committed."""
    try:
        # The name goes through rev-parse first, so that no word of the user can be an option of another command.
        name = _git("rev-parse", "--verify", "--quiet", "--end-of-options", target).decode().strip()
        kind = _git("cat-file", "-t", name).decode().strip()
        tree = _git("archive", "--format=tar", name) if kind == "tree" else b""
        blob = _git("cat-file", "blob", name) if kind == "blob" else b""
    except FileNotFoundError as error:
        raise SpecError("git is not installed", fix="give folders or files") from error
    except subprocess.CalledProcessError as error:
        raise SpecError(f"there is no {target}, as a file or in git", fix=_FIX) from error
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        if kind == "tree":
            _unpack(tree, folder)
            return _folder(folder, target)
        file = folder / Path(target.partition(":")[2]).name
        file.write_bytes(blob)
        return _file(file, target)


def _unpack(archive: bytes, folder: Path) -> None:
    """The JSON files of the archive's own level; names with folders, and links, are left out."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            content = members.extractfile(member) if member.isfile() else None
            if content is not None and member.name.endswith(".json") and "/" not in member.name:
                (folder / member.name).write_bytes(content.read())


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], capture_output=True, check=True)  # noqa: S603, S607  # fixed words
    return done.stdout
