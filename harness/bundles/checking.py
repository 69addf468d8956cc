"""``harness records verify BUNDLE``: the records of a bundle, checked like one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.bundles.bundle import RUNS, SUFFIX, Bundle, open_bundle
from harness.core.progress import Progress
from harness.studies.verify_records import RecordCheck, verify_records


def is_bundle(target: str | Path) -> bool:
    """Whether a target is the file of a bundle."""
    return Path(target).suffix == SUFFIX and Path(target).is_file()


def verify_bundle(
    path: str | Path,
    *,
    plugins: Sequence[str | Path] = (),
    data: str | Path | None = None,
    recompute: int | str = 0,
    run_sources: bool = False,
    progress: Progress | None = None,
) -> list[RecordCheck]:
    """Check every record of a bundle, as ``verify_records`` does.

    Args:
        path: the file of the bundle.
        plugins: files or modules with the methods of the records, besides the installed ones.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        recompute: how many runs, drawn at random, are done again from the data on: a number or a share, ``5%``.
        run_sources: load the plugin files of the bundle, which then do on this machine what they like.
        progress: told how far the work is.

    Raises:
        DataMissing, DataDamaged: as ``open_bundle``.
        PluginError: a plugin cannot be loaded.
    """
    bundle = open_bundle(path)
    given = (*plugins, *(plugin_files(bundle) if run_sources else ()))
    return verify_records(bundle.folder / RUNS, plugins=given, data=data, recompute=recompute, progress=progress)


def plugin_files(bundle: Bundle) -> list[Path]:
    """The files of a bundle that register its plugins; nothing of them is loaded."""
    files = []
    for folder in bundle.plugins:
        inner = folder.name.replace(".", "/")
        names = (f"**/{folder.name}.py", f"{inner}.py", f"{inner}/__init__.py")
        found = [file for name in names for file in sorted(folder.glob(name))]
        files += found[:1]
    return files
