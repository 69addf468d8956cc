"""Writes the repository of a board: others add bundles; its CI makes boards, does runs again, builds the page."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.core.errors import FileUnusable, SpecError
from harness.scaffold.new import Scaffold, require_slug, template, write_files

_FILES: Final = {
    "README.md": "README.md",
    "spec.yaml": "spec.yaml",
    "ci.sh": "ci.sh",
    ".gitignore": "gitignore",
    ".github/workflows/board.yml": "workflow.yml",
    "bundles/README.md": "bundles.md",
    "plugins/README.md": "plugins.md",
}
"""File in the repository -> template."""


def new_board(name: str, folder: str | Path = ".") -> Scaffold:
    """Write the repository of a board into a new folder.

    Args:
        name: of the folder and the board: ``city-landmarks``.
        folder: where to write; made if it is not there.

    Raises:
        SpecError: a name that cannot be used, or that is there already; nothing was written.
        FileUnusable: the folder cannot be written to.
    """
    require_slug(name, "of a board")
    first = Path(folder) / name
    if first.exists() or first.is_symlink():
        raise SpecError(f"{first} exists already", why="nothing is overwritten", fix="another name, or --folder")
    contents = {file: template(f"board/{source}").replace("my-board", name) for file, source in _FILES.items()}
    try:
        write_files(contents, first)
        (first / "ci.sh").chmod(0o755)
    except OSError as error:
        raise FileUnusable.of(error, Path(folder)) from error
    spec, bundles = first / "spec.yaml", first / "bundles"
    commands = (
        f"harness run {spec}",
        f'harness publish {spec} --out {bundles} --measured-by "A. Example" --licence CC-BY-4.0',
        str(first / "ci.sh") if first.is_absolute() else f"./{first / 'ci.sh'}",
    )
    return Scaffold(tuple(first / file for file in contents), commands)
