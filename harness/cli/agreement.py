"""``harness agreement``: how much the acquisitions of a spec agree with a reference (thesis §3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import (
    AsJson,
    Cache,
    Catalogues,
    Data,
    Out,
    PlotFormats,
    Plots,
    Plugins,
    Target,
    comma_separated,
)

if TYPE_CHECKING:
    from harness.boards.reference import Reference
    from harness.studies.agreement_spec import AgreementStudy


def agreement(
    target: Target,
    reference: Annotated[
        str, typer.Option("--reference", help="Acquisition that the others are compared with.")
    ] = "entropy",
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Measure on what was just acquired too.")] = False,
    out: Out = None,
    plots: Plots = None,
    plot_formats: PlotFormats = "svg",
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Compare picks, ranks and pseudo-labels of the acquisitions of a spec with those of a reference.

    Of records without a spec, as harness import writes them, the picks alone are compared.
    """
    from harness.boards import read_reference
    from harness.cli.display import Bars
    from harness.core.files import write_atomically
    from harness.runs.targets import REFERENCE, Resolver
    from harness.studies.agreement_spec import agreement_studies

    if _has_records_alone(target):
        _compare_picks(target, reference, out, as_json)
        return
    spec = Resolver().spec(target)
    with Bars() as bars:
        studies = agreement_studies(
            spec,
            reference=reference,
            unlabelled=unlabelled,
            plugins=tuple(plugin or ()),
            catalogues=tuple(catalogue or ()),
            data=data,
            cache=cache,
            progress=bars,
        )
    beside = spec.with_name(REFERENCE)
    published = read_reference(beside) if beside.is_file() else None
    text = _text(studies, published, unlabelled)
    if out is not None:
        write_atomically(out, text.encode())
    if plots is not None:
        for name, picture in _plots(studies, comma_separated(plot_formats)).items():
            write_atomically(plots / name, picture)
    print(_json(studies, published) if as_json else text, end="")


def _has_records_alone(target: str) -> bool:
    """Whether a target is a folder without a spec, or a file that is none: records."""
    from harness.runs.targets import SPEC

    path = Path(target)
    return (path.is_dir() and not (path / SPEC).is_file()) or (path.is_file() and path.suffix == ".json")


def _compare_picks(target: str, reference: str, out: Path | None, as_json: bool) -> None:
    from dataclasses import asdict

    from harness.boards.picks import pick_agreement, picks_table
    from harness.boards.render import json_text, render_tables
    from harness.core.files import write_atomically
    from harness.runs.targets import find_results

    found = pick_agreement(find_results(target, ranks=False).require_records(), reference)
    text = render_tables(picks_table(found), "markdown")
    if out is not None:
        write_atomically(out, text.encode())
    print(json_text([asdict(each) for each in found]) if as_json else text, end="")


def _text(studies: Sequence[AgreementStudy], published: Reference | None, unlabelled: bool) -> str:
    from harness.boards.agreement import agreement_tables, published_tables
    from harness.boards.render import render_tables

    tables = []
    for study in studies:
        tables += agreement_tables(
            study.title, study.reference, study.compared, unlabelled=unlabelled, warnings=study.warnings
        )
        if published:
            tables += published_tables(published, study.dataset, study.compared, _doubts(study, published))
    return render_tables(tables, "markdown")


def _doubts(study: AgreementStudy, published: Reference) -> list[str]:
    """Why what was measured is not comparable with what is published."""
    other = published.other_setting(study.dataset, study.protocol)
    return [*study.warnings, *([other] if other else [])]


def _json(studies: Sequence[AgreementStudy], published: Reference | None) -> str:
    from harness.boards.agreement import agreement_data, published_agreement
    from harness.boards.render import json_text

    content = []
    for study in studies:
        measured = agreement_data(study.title, study.reference, study.compared)
        beside = {}
        if published:
            doubts = _doubts(study, published)
            beside["published"] = published_agreement(published, study.dataset, study.compared, doubts)
        content.append({**measured, "warnings": study.warnings, **beside})
    return json_text(content)


def _plots(studies: Sequence[AgreementStudy], images: Sequence[str]) -> dict[str, bytes]:
    """Pictures of the ranks with their data, by file name."""
    from harness.boards.plots import agreement_plots

    pictures: dict[str, bytes] = {}
    for study in studies:
        name = study.dataset if len(studies) == 1 else study.title
        pictures |= agreement_plots(study.title, study.reference, study.compared, name, images, data=True)
    return pictures
