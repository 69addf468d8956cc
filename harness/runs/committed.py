"""Folders and files as they were committed to git, written to a temporary folder."""

from __future__ import annotations

import io
import subprocess
import tempfile
from pathlib import Path, PurePosixPath

from harness.core.errors import SpecError
from harness.core.scratch import scratch_folder

_SPECS = (".yaml", ".yml")


def checked_out(target: str, *, fix: str = "") -> Path:
    """Where the content of ``COMMIT:PATH`` lies now; the folder is removed when the process ends.

    Of a spec its whole folder is written, with the plugins and data sets that lie beside it.

    Raises:
        SpecError: there is no such commit or path (with ``fix``), or no git.
    """
    commit, _, path = target.partition(":")
    file = PurePosixPath(path).name
    try:
        # The name goes through rev-parse first, so that no word of the user can be an option of another command.
        name = _git("rev-parse", "--verify", "--quiet", "--end-of-options", target).decode().strip()
        kind = _git("cat-file", "-t", name).decode().strip()
        if kind == "blob" and path.endswith(_SPECS):
            folder = f"{commit}:{path.removesuffix(file)}"
            name, kind = _git("rev-parse", "--verify", "--quiet", "--end-of-options", folder).decode().strip(), "spec"
        content = _git("cat-file", "blob", name) if kind == "blob" else _archive(name)
    except FileNotFoundError as error:
        raise SpecError("git is not installed", fix="give folders or files") from error
    except subprocess.CalledProcessError as error:
        raise SpecError(f"there is no {target}, as a file or in git", fix=fix) from error
    out = Path(tempfile.mkdtemp(prefix="commit-", dir=scratch_folder()))
    if kind == "blob":
        (out / file).write_bytes(content)
    else:
        _unpack(content, out)
    return out if kind in ("tree", "commit") else out / file


def _archive(tree: str) -> bytes:
    """The whole tree; in a folder below the top of the repository git would archive what is in that folder alone."""
    repository = _git("rev-parse", "--absolute-git-dir").decode().rstrip("\n")
    return _git("--git-dir", repository, "archive", "--format=tar", tree)


def _unpack(archive: bytes, folder: Path) -> None:
    """The plain files of an archive; links are left out."""
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            content = members.extractfile(member) if member.isfile() else None
            path = PurePosixPath(member.name)
            if content is not None and not path.is_absolute() and ".." not in path.parts:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content.read())


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], capture_output=True, check=True)  # noqa: S603, S607  # fixed words
    return done.stdout
