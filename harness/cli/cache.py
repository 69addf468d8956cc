"""``harness cache``: what is cached between runs, and how much of the disk it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.help import Commands
from harness.cli.options import AsJson, Cache, Data
from harness.core.errors import BAD_DATA, DONE
from harness.data.folders import data_folders
from harness.plugin_api import DataFolders

cache = typer.Typer(
    cls=Commands, help="List, verify, explain and clear what is cached between runs.", no_args_is_help=True
)


@cache.command("list")
def list_entries(folder: Cache = None, as_json: AsJson = False) -> None:
    """List the entries, the least recently used first."""
    import json

    from harness.cache.inspection import cache_entries

    entries = cache_entries(_root(folder))
    if as_json:
        rows = [{**vars(entry), "folder": str(entry.folder), "stage": entry.stage} for entry in entries]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for entry in entries:
        print(f"{entry.name[:12]}  {_size(entry.bytes):>9}  {entry.seconds:9.2f} s  {entry.damage or entry.stage}")
    print(f"{len(entries)} entries, {_size(sum(entry.bytes for entry in entries))}")


@cache.command()
def verify(
    folder: Cache = None,
    data: Data = None,
    recompute: Annotated[
        int, typer.Option("--recompute", help="Also compute this many entries, drawn at random, again.", min=0)
    ] = 0,
) -> None:
    """Check every byte. Damaged entries are named and removed, to be computed again."""
    from harness.cache.inspection import cache_entries, verify_cache

    damaged = verify_cache(_root(folder))
    for entry in damaged:
        print(f"removed  {entry.name[:12]}  {entry.damage}")
    print(f"{len(damaged)} damaged, {len(cache_entries(_root(folder)))} whole")
    different = _recomputed(data_folders(data, folder), recompute) if recompute else 0
    raise typer.Exit(BAD_DATA if damaged or different else DONE)


def _recomputed(folders: DataFolders, count: int) -> int:
    """Compute a sample again and print how it compares; how many differ."""
    from collections import Counter

    from harness.studies.recompute import recompute, without_a_run

    outcomes: Counter[str] = Counter()
    for result in recompute(folders, count):
        outcomes[result.outcome] += 1
        if result.outcome != "equal":
            print(f"{result.outcome}  {result.entry.name[:12]}  {result.entry.stage}: {result.why}")
    print(
        "recomputed: " + ", ".join(f"{outcomes[name]} {name}" for name in ("equal", "close", "differs", "not computed"))
    )
    if others := without_a_run(folders):
        print(f"left by other commands than run, of which only the bytes are checked: {others}")
    return outcomes["differs"]


@cache.command()
def clear(
    folder: Cache = None,
    keep: Annotated[str, typer.Option("--keep", help="Keep this much, most recently used: 500M, 20G.")] = "0",
) -> None:
    """Remove entries, the least recently used first, and the maps that interrupted plans left."""
    from harness.cache import parse_size
    from harness.cache.inspection import clear_cache
    from harness.retrieval.map_store import clear_maps

    root = _root(folder)
    removed, maps = len(clear_cache(root, limit=parse_size(keep))), clear_maps(root)
    print(f"{removed} entries removed{f', and {maps} maps of interrupted plans' if maps else ''}")


@cache.command("why", hidden=True)
@cache.command()
def explain(
    name: Annotated[str, typer.Argument(help="Beginning of the entry's name.", show_default=False)],
    folder: Cache = None,
) -> None:
    """Show what decided an entry's name, and how it differs from the entry most like it."""
    import json

    from harness.cache.inspection import explain_entry

    entry, differences = explain_entry(name, _root(folder))
    print(f"{entry.name}  {_size(entry.bytes)}  {entry.damage or f'made in {entry.seconds:.2f} s'}")
    print(json.dumps(entry.key, indent=1, ensure_ascii=False))
    print("\n".join(differences))


def _root(folder: Path | None) -> Path:
    return data_folders(None, folder).cache


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""
