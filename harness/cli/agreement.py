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
    import json

    from harness.boards.agreement_published import published_agreement, published_agreement_markdown
    from harness.boards.agreement_table import agreement_data, agreement_markdown, rank_plot
    from harness.boards.reference import read_reference
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
    parts = []
    for study in studies:
        parts.append(agreement_markdown(study.title, study.reference, study.compared, unlabelled=unlabelled))
        if published is not None:
            parts.append(published_agreement_markdown(published, study.dataset, study.compared))
    text = "\n".join(part for part in parts if part)
    if out is not None:
        write_atomically(out, text.encode())
    if plots is not None:
        for study in studies:
            picture = rank_plot(study.title, study.reference, study.compared)
            if picture is not None:
                name = study.dataset if len(studies) == 1 else study.title
                write_atomically(plots / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}-ranks.svg", picture)
    if as_json:
        found = [agreement_data(study.title, study.reference, study.compared) for study in studies]
        for data_of, study in zip(found, studies, strict=True):
            if published is not None:
                data_of["published"] = published_agreement(published, study.dataset, study.compared)
        text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    print(text, end="")
