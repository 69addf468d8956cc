"""``harness agreement``: how much the acquisitions of a spec agree with a reference (thesis §3.6)."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from harness.cli.options import AsJson, Cache, Catalogues, Data, Out, Plots, Plugins, Spec


def agreement(
    spec: Spec,
    reference: Annotated[
        str, typer.Option("--reference", help="Acquisition that the others are compared with.")
    ] = "entropy",
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Measure on what was just acquired too.")] = False,
    out: Out = None,
    plots: Plots = None,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Compare picks, ranks and pseudo-labels of the acquisitions of a spec with those of a reference."""
    from harness.boards import read_reference
    from harness.boards.agreement import agreement_data, agreement_tables, published_agreement, published_tables
    from harness.boards.plots import agreement_plot
    from harness.boards.render import json_text, render_tables
    from harness.cli.display import Bars
    from harness.core.files import write_atomically
    from harness.studies.agreement_spec import agreement_studies

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
    beside = spec.with_name("reference.yaml")
    published = read_reference(beside) if beside.is_file() else None
    tables = []
    for study in studies:
        tables += agreement_tables(study.title, study.reference, study.compared, unlabelled=unlabelled)
        if published is not None:
            tables += published_tables(published, study.dataset, study.compared)
    text = render_tables(tables, "markdown")
    if out is not None:
        write_atomically(out, text.encode())
    if plots is not None:
        for study in studies:
            picture = agreement_plot(study.title, study.reference, study.compared)
            if picture is not None:
                name = study.dataset if len(studies) == 1 else study.title
                write_atomically(plots / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}-ranks.svg", picture)
    if as_json:
        found = [agreement_data(study.title, study.reference, study.compared) for study in studies]
        for data_of, study in zip(found, studies, strict=True):
            if published is not None:
                data_of["published"] = published_agreement(published, study.dataset, study.compared)
        text = json_text(found)
    print(text, end="")
