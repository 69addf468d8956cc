"""``harness records verify``: records, those in bundles like one's own; and which of them were done again before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.bundles.bundle import RUNS, SUFFIX, Bundle, content_id, open_bundle
from harness.bundles.recomputed import read
from harness.core.errors import BadParameter
from harness.core.progress import Progress
from harness.runs.tolerances import Tolerances
from harness.studies.verify_records import RecordCheck, verify_records


def verify(
    targets: Sequence[str | Path],
    *,
    plugins: Sequence[str | Path] = (),
    data: str | Path | None = None,
    runs: str | Path | None = None,
    recompute: int | str = 0,
    seed: str | None = None,
    log: str | Path | None = None,
    tolerance: Tolerances | None = None,
    run_sources: bool = False,
    progress: Progress | None = None,
) -> list[RecordCheck]:
    """Check every record of targets, as ``verify_records`` does; a target may be a bundle.

    Args:
        targets: bundles, specs, folders of records or of leaderboards, records.
        plugins: files or modules with the methods of the records, besides the installed ones.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        runs: folder of the records of a spec (default ``runs`` beside it).
        recompute: how many runs, drawn at random, are done again from the data on: a number or a share, ``5%``.
        seed: of the draw; None draws others each time.
        log: of runs that were done again before: those that it does not name are drawn first.
        tolerance: metric -> points that a run may differ by when it is done again; by default nothing may differ.
        run_sources: load the plugin files of the bundles, which then do on this machine what they like.
        progress: told how far the work is.

    Raises:
        SpecError, DataMissing, DataDamaged: as ``verify_records`` and ``open_bundle``; or the log is damaged.
        PluginError: a plugin cannot be loaded.
        BadParameter: an option that says nothing of what is checked.
    """
    opened = {target: open_bundle(target) for target in targets if is_bundle(target)}
    if opened and runs is not None:
        raise BadParameter("--runs is for a spec: a bundle holds its records", fix="leave it out")
    if run_sources and not opened:
        raise BadParameter("--run-sources is for bundles: there is none", fix="give files of methods with --plugin")
    sources = [file for bundle in opened.values() for file in plugin_files(bundle) if run_sources]
    return verify_records(
        [opened[target].folder / RUNS if target in opened else target for target in targets],
        plugins=(*plugins, *sources),
        data=data,
        runs=runs,
        recompute=recompute,
        seed=seed,
        times=_times(Path(log)) if log is not None else None,
        tolerance=tolerance,
        progress=progress,
    )


def never_recomputed(checks: Sequence[RecordCheck], log: str | Path) -> tuple[int, int]:
    """Of records that could be done again: how many the log does not name, and how many there are."""
    times = _times(Path(log))
    files = [check.file for check in checks if check.repeatable]
    return sum(not times(file) for file in files), len(files)


def _times(log: Path) -> Callable[[Path], int]:
    """How often a record was done again, by its content. Raises ``DataDamaged``."""
    known = read(log)
    return lambda file: len(known.get(content_id(file.read_bytes()), ()))


def is_bundle(target: str | Path) -> bool:
    """Whether a target is the file of a bundle."""
    return Path(target).suffix == SUFFIX and Path(target).is_file()


def plugin_files(bundle: Bundle) -> list[Path]:
    """The files of a bundle that register its plugins; nothing of them is loaded."""
    files = []
    for folder in bundle.plugins:
        inner = folder.name.replace(".", "/")
        names = (f"**/{folder.name}.py", f"{inner}.py", f"{inner}/__init__.py")
        found = [file for name in names for file in sorted(folder.glob(name))]
        files += found[:1]
    return files
