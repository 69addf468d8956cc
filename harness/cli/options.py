"""Options and arguments that several commands have, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from harness.cli.completion import complete_dataset, complete_kind, complete_method
from harness.plugin_api import KINDS

TARGET = "A spec, a folder of records or of a leaderboard, a record, a results.json, or COMMIT:PATH of one."

Spec = Annotated[Path, typer.Argument(help="YAML file that describes a comparison.", show_default=False)]
Target = Annotated[str, typer.Argument(help=TARGET, show_default=False)]
Targets = Annotated[list[str], typer.Argument(help=TARGET, show_default=False)]
Run = Annotated[str, typer.Argument(help="A record, COMMIT:PATH of one, or with --runs its id.", show_default=False)]
_KIND: Final = typer.Argument(help=f"One of: {', '.join(KINDS)}.", show_default=False, autocompletion=complete_kind)
Kind = Annotated[str, _KIND]
AnyKind = Annotated[str | None, _KIND]
Method = Annotated[
    str | None,
    typer.Argument(help="A method of this kind: show all of it.", show_default=False, autocompletion=complete_method),
]
DatasetName = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="As harness datasets list shows it.", show_default=False, autocompletion=complete_dataset
    ),
]

Plugins = Annotated[list[str] | None, typer.Option("--plugin", help="File or module with methods; may be repeated.")]
StrictPlugins = Annotated[bool, typer.Option("--strict-plugins", help="A broken installed plugin is an error.")]
Add = Annotated[
    list[str] | None, typer.Option("--add", help="A method to compare besides those of the spec; may be repeated.")
]
Device = Annotated[
    str | None,
    typer.Option("--device", help="auto, cpu or cuda [default: what the spec says, or cpu].", show_default=False),
]
Numerics = Annotated[
    str | None,
    typer.Option("--numerics", help="fp32, tf32 or bf16 [default: what the spec says, or fp32].", show_default=False),
]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of your data [default: $HARNESS_DATA].")]
Cache = Annotated[Path | None, typer.Option("--cache", help="Folder of the cache [default: $HARNESS_CACHE].")]
Runs = Annotated[Path | None, typer.Option("--runs", help="Folder of the records [default: runs beside the spec].")]
RunsOfId = Annotated[str | None, typer.Option("--runs", help="Target that holds the run of an id.")]
Catalogues = Annotated[list[Path] | None, typer.Option("--catalogue", help="File with your datasets; may be repeated.")]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metric", help="Metric to test, such as map_hard; may be repeated [default: what ranks the board]."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write to this file too.")]
PictureOut = Annotated[
    Path, typer.Option("--out", help="Write the picture here (.png, .svg or .pdf).", show_default=False)
]
Plots = Annotated[Path | None, typer.Option("--plots", help="Draw plots into this folder, with their data as CSV.")]
PlotFormats = Annotated[str, typer.Option("--plot-formats", metavar="A,B", help="Formats of the plots: svg, png, pdf.")]


def tolerances(what: str, default: str) -> Any:
    """``--tolerance``, of all metrics or of one; ``harness.runs.tolerances`` reads it."""
    help_text = f"{what}: NUMBER, or METRIC=NUMBER; may be repeated [default: {default}]."
    return typer.Option("--tolerance", help=help_text, show_default=False)


def comma_separated(text: str) -> list[str]:
    """The entries of an option such as ``A,B``, each once."""
    return list(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
