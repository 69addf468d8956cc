"""``harness import``: rankings and results of others, as records or published numbers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.help import Commands
from harness.cli.options import Cache, Catalogues, Data, Plugins, Runs, Spec
from harness.core.errors import BAD_DATA, DONE

if TYPE_CHECKING:
    from harness.studies.imports.records import Imported

imports = typer.Typer(
    cls=Commands, help="Import what others computed: rankings, published results.", no_args_is_help=True
)

Folder = Annotated[Path, typer.Argument(help="Folder of the results.", show_default=False)]
Records = Annotated[Path, typer.Option("--out", help="Folder for the records.", show_default=False)]
By = Annotated[str, typer.Option("--measured-by", help="Who measured it; boards and records say so.")]


@imports.command()
def rankings(
    spec: Spec,
    file: Annotated[
        Path,
        typer.Argument(
            help="Rankings: .npy or .npz (queries, ranked), .json of ids, or a TREC run.", show_default=False
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="What boards call them [default: name of the file].")] = "",
    dataset: Annotated[str | None, typer.Option("--dataset", help="Dataset of the spec, if it has several.")] = None,
    measured_by: By = "another system",
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
    runs: Runs = None,
) -> None:
    """Put rankings of another system on the board of a spec, scored as its own runs are."""
    from harness.cli.display import leaderboard_command
    from harness.studies.imports.rankings import import_rankings

    done = import_rankings(
        spec,
        file,
        name=name,
        dataset=dataset,
        measured_by=measured_by,
        plugins=tuple(plugin or ()),
        catalogues=tuple(catalogue or ()),
        data=data,
        cache=cache,
        runs=runs,
    )
    for record in done.records:
        for note in record.details["notes"]["imported"]:
            print(f"{file}: {note}.")
        score = record.metrics["map_medium"]
        print(f"{record.methods['ranking'].name}: mAP Medium {'–' if score is None else f'{100 * score:.2f}'}")
    shown = leaderboard_command(spec, plugin=plugin, data=data, runs=runs, catalogue=catalogue)
    print(f"Records: {done.store.folder}. Leaderboard: {shown}")


@imports.command()
def labelbench(folder: Folder, out: Records, measured_by: By = "LabelBench") -> None:
    """Import result folders of LabelBench (.pkl) as records of active learning.

    Pickles are read without running anything that they ask for: only plain lists, dictionaries, numbers and texts.
    Exit code 4: some files were refused; the others are imported.
    """
    from harness.studies.imports.labelbench import import_labelbench

    _write(import_labelbench(folder, measured_by), out)


@imports.command()
def cdalbench(folder: Folder, out: Records, measured_by: By = "CDALBench") -> None:
    """Import result folders of CDALBench (accuracies.csv) as records of active learning.

    Exit code 4: some files were refused; the others are imported.
    """
    from harness.studies.imports.curves import import_cdalbench

    _write(import_cdalbench(folder, measured_by), out)


@imports.command()
def table(
    file: Annotated[Path, typer.Argument(help="CSV file, names in the first row.", show_default=False)],
    mapping: Annotated[Path, typer.Argument(help="YAML file that says what its columns are.", show_default=False)],
    out: Records,
) -> None:
    """Import any table of results (CSV) as records."""
    from harness.studies.imports.tables import import_table

    _write(import_table(file, mapping), out)


@imports.command()
def mteb(
    folder: Folder,
    out: Annotated[
        Path, typer.Option("--out", help="File to write: reference.yaml beside a spec.", show_default=False)
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", help="Score of the files; may be repeated [default: map_at_5, map_at_1000]."),
    ] = None,
) -> None:
    """Import results of mteb on ROxford and RParis as published numbers beside own ones.

    Exit code 4: some files were refused; the others are imported.
    """
    from harness.core.files import write_atomically
    from harness.studies.imports.mteb import METRICS, mteb_reference, reference_text

    content, refused = mteb_reference(folder, tuple(metric or METRICS))
    write_atomically(out, reference_text(content).encode())
    _refuse(refused)
    print(f"{len(content['rows'])} models, {len(content['columns'])} columns: {out}")
    raise typer.Exit(BAD_DATA if refused else DONE)


def _write(imported: Imported, out: Path) -> None:
    from harness.studies.imports.records import write_imported

    write_imported(imported.records, out)
    _refuse(imported.refused)
    print(f"{len(imported.records)} records, {len(imported.refused)} files refused: {out}")
    if imported.records:
        print(f"Leaderboard: harness leaderboard {out}")
    raise typer.Exit(BAD_DATA if imported.refused else DONE)


def _refuse(refused: Sequence[str]) -> None:
    for reason in refused:
        print(f"refused: {reason}", file=sys.stderr)
