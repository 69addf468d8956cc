"""``harness evaluate`` and ``harness explain``: rankings under protocols by name, and numbers by their protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson, Catalogues, Data, Plugins
from harness.core.errors import DONE, UNEXPLAINED, SpecError

if TYPE_CHECKING:
    from harness.boards.render import Table
    from harness.metrics.protocols import Evaluation, Judged
    from harness.studies.judgements import Judgements

DatasetOption = Annotated[str | None, typer.Option("--dataset", help="Dataset whose relevance judgements count.")]
Truth = Annotated[
    Path | None,
    typer.Option("--ground-truth", help="File of relevance judgements: the JSON of own images, or a published .pkl."),
]
_RANKINGS = "Rankings: .npy or .npz (queries, ranked), .json of ids or names, or a TREC run."
Descriptors = Annotated[
    Path | None, typer.Option("--descriptors", help="Descriptors of the database (.npy or .npz), searched exactly.")
]
QueryDescriptors = Annotated[
    Path | None, typer.Option("--query-descriptors", help="Descriptors of the queries (.npy).")
]


def evaluate(
    rankings: Annotated[Path | None, typer.Argument(help=_RANKINGS, show_default=False)] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="Protocol such as gldv2-map@100, family such as trec, or all; may be repeated [default: map, mp].",
        ),
    ] = None,
    dataset: DatasetOption = None,
    ground_truth: Truth = None,
    descriptors: Descriptors = None,
    query_descriptors: QueryDescriptors = None,
    per_query: Annotated[
        Path | None, typer.Option("--per-query", help="Write the values of every query here (.csv).")
    ] = None,
    categories: Annotated[
        Path | None,
        typer.Option(
            "--categories",
            help="JSON object, query -> category: also print means of categories, over the objects of each (ILIAS).",
        ),
    ] = None,
    list_protocols: Annotated[bool, typer.Option("--list", help="List the protocols and their definitions.")] = False,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate rankings or descriptors under protocols by name."""
    from harness.boards.render import json_text
    from harness.boards.render.markdown import plain_text
    from harness.metrics.protocols import evaluate_names

    if list_protocols:
        print(plain_text(_protocols()))
        return
    truth = _truth(dataset, ground_truth, plugin, catalogue, data)
    given = _judged(truth, rankings, descriptors, query_descriptors)
    found = [evaluation for name in protocol or ("map", "mp") for evaluation in evaluate_names(given, name)]
    if per_query is not None:
        _write_queries(per_query, truth.queries, found)
    means = _category_means(truth.categories(categories), given, found) if categories else None
    if as_json:
        entries = [_data(evaluation) for evaluation in found]
        print(json_text(entries if means is None else {"metrics": entries, "categories": means}), end="")
    else:
        print(plain_text(_table(found)))
        if means is not None:
            print(f"\n{plain_text(_category_table(found, means))}")
        # Numbers of another database size are other numbers.
        print(f"\n{len(truth.queries):,} queries, {len(truth.images):,} images in the database")


def explain(
    numbers: Annotated[
        list[str],
        typer.Argument(
            metavar="NUMBER...",
            help='Numbers of one published row: 64.67, hard=38.47, "mP@10 hard=53.00".',
            show_default=False,
        ),
    ],
    rankings: Annotated[Path | None, typer.Option("--rankings", help=_RANKINGS)] = None,
    dataset: DatasetOption = None,
    ground_truth: Truth = None,
    descriptors: Descriptors = None,
    query_descriptors: QueryDescriptors = None,
    uncropped: Annotated[
        Path | None, typer.Option("--uncropped", help="Descriptors of the queries that are not cropped (.npy).")
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", min=0.0, help="Points accepted where no protocol gives the numbers by rounding."),
    ] = 0.5,
    software: Annotated[
        str, typer.Option("--software", help="Version of the software that wrote the numbers, such as 1.14.15 of mteb.")
    ] = "",
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Name the evaluation protocols that give published numbers, from rankings or descriptors.

    Every protocol and its common mistakes are tried: junk as negatives, cut lists, the query left in the database,
    queries that are not cropped. Without rankings only the printed numbers are looked at. Exit code 7: no protocol
    gives them.
    """
    from harness.boards.render import json_text
    from harness.studies.explain import explain as explain_numbers
    from harness.studies.explain import explanation_data, explanation_text

    given = whole = None
    if rankings is not None or descriptors is not None:
        truth = _truth(dataset, ground_truth, plugin, catalogue, data)
        given = _judged(truth, rankings, descriptors, query_descriptors)
        if uncropped is not None and descriptors is not None:
            whole = truth.judge_descriptors(descriptors, uncropped)
    if uncropped is not None and whole is None:
        raise SpecError("--uncropped needs the descriptors of the database", fix="--descriptors FILE")
    found = explain_numbers(numbers, given, uncropped=whole, tolerance=tolerance, version=software)
    print(json_text(explanation_data(found)) if as_json else explanation_text(found, tolerance), end="")
    raise typer.Exit(DONE if found.explained or given is None else UNEXPLAINED)


def _truth(
    dataset: str | None,
    ground_truth: Path | None,
    plugin: Sequence[str] | None,
    catalogue: Sequence[Path] | None,
    data: Path | None,
) -> Judgements:
    from harness.cli.listing import registry_of
    from harness.data.folders import data_folders
    from harness.studies.judgements import read_judgements

    return read_judgements(dataset, ground_truth, registry_of(plugin), data_folders(data), tuple(catalogue or ()))


def _judged(truth: Judgements, rankings: Path | None, descriptors: Path | None, queries: Path | None) -> Judged:
    if rankings is not None and descriptors is None:
        return truth.judge_file(rankings)
    if descriptors is not None and rankings is None:
        return truth.judge_descriptors(descriptors, queries)
    raise SpecError("name what to evaluate", fix="a file of rankings, or --descriptors FILE")


def _protocols() -> Table:
    from harness.boards.render import make_table
    from harness.metrics.protocols import PROTOCOLS, MetricName

    rows = [
        (p.id, str(MetricName(p.id, p.ks[0] if p.ks else 0)), "/".join(map(str, p.ks)), p.source)
        for p in PROTOCOLS.values()
    ]
    return make_table(("protocol", "printed", "ranks", "definition"), rows)


def _table(found: Sequence[Evaluation]) -> Table:
    """One line a metric, a column a set-up, in percent where the source prints percent."""
    from harness.boards.render import make_table
    from harness.metrics.protocols import MetricName

    setups = list(dict.fromkeys(evaluation.name.setup for evaluation in found))
    lines: dict[tuple[str, int], dict[str, Evaluation]] = {}
    for evaluation in found:
        lines.setdefault((evaluation.name.protocol, evaluation.name.k), {})[evaluation.name.setup] = evaluation
    headers = [setup.capitalize() or "value" for setup in setups]
    rows = []
    for line in lines.values():
        first = next(iter(line.values()))
        metric = str(MetricName(first.name.protocol, first.name.k))
        numbers = [str(line[setup]) if setup in line else "" for setup in setups]
        counted = "/".join(dict.fromkeys(str(evaluation.counted) for evaluation in line.values()))
        rows.append([metric, *numbers, counted, first.name.definition.source])
    return make_table(["metric", *headers, "queries", "definition"], rows, right=[*headers, "queries"])


def _category_means(
    categories: Sequence[str | None], given: Judged, found: Sequence[Evaluation]
) -> dict[str, dict[str, float | None]]:
    """Key of a metric -> category -> mean, None where no query of it counts."""
    from harness.metrics.protocols import category_means

    means = {e.name.key: category_means(e, given.classes, categories) for e in found if e.values is not None}
    return {key: {name: None if v != v else v for name, v in values.items()} for key, values in means.items()}


def _category_table(found: Sequence[Evaluation], means: Mapping[str, Mapping[str, float | None]]) -> Table:
    from harness.boards.render import make_table

    named = [evaluation for evaluation in found if evaluation.name.key in means]
    rows = [
        [category, *("–" if (v := means[e.name.key][category]) is None else e.name.definition.shown(v) for e in named)]
        for category in next(iter(means.values()), {})
    ]
    headers = [str(evaluation.name) for evaluation in named]
    return make_table(["category", *headers], rows, right=headers)


def _data(evaluation: Evaluation) -> dict[str, object]:
    name, definition = evaluation.name, evaluation.name.definition
    values = None if evaluation.values is None else [None if v != v else v for v in evaluation.values.tolist()]
    return {
        "key": name.key,
        "metric": str(name),
        "setup": name.setup,
        "value": None if evaluation.mean != evaluation.mean else evaluation.mean,
        "queries": evaluation.counted,
        "values": values,
        "source": definition.source,
        "note": definition.note,
    }


def _write_queries(path: Path, queries: Sequence[str], found: Sequence[Evaluation]) -> None:
    from harness.boards.render import csv_text, make_table
    from harness.core.files import write_atomically

    listed = [evaluation for evaluation in found if evaluation.values is not None]
    columns = [[None if v != v else v for v in e.values.tolist()] for e in listed if e.values is not None]
    headers = ["query", *(evaluation.name.key for evaluation in listed)]
    table = make_table(headers, [[name, *values] for name, *values in zip(queries, *columns, strict=True)])
    write_atomically(path, csv_text(table).encode())
