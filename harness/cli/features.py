"""``harness features``: features of a classification set, for embedding mode."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.options import Catalogues, Data, Plugins
from harness.core.errors import BadParameter

_NAME = 'NAME, or "NAME: {PARAMETER: VALUE}".'


def features(
    dataset: Annotated[str, typer.Argument(help=f"Classification set: {_NAME}", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", help="The file (.npz), for the dataset embeddings.", show_default=False)
    ],
    backbone: Annotated[str | None, typer.Option("--backbone", help=f"Backbone: {_NAME}")] = None,
    pooling: Annotated[str, typer.Option("--pooling", help=f"Pooling of its maps: {_NAME}")] = "gem",
    network: Annotated[str | None, typer.Option("--network", help=f"Network in place of a backbone: {_NAME}")] = None,
    learning: Annotated[
        str | None, typer.Option("--learning", help=f"What prepares the network without labels (pretrain): {_NAME}")
    ] = None,
    size: Annotated[int, typer.Option("--size", min=0, help="Longest side of the images; 0: as they are.")] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of a network.")] = 0,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
) -> None:
    """Write the features of a classification set by a backbone or a network."""
    from harness.cli.display import Bars
    from harness.studies.features import write_features

    with Bars() as bars:
        n, m, d = write_features(
            _choice("", dataset, "dataset"),
            out,
            backbone=None if backbone is None else _choice("--backbone ", backbone),
            pooling=_choice("--pooling ", pooling),
            network=None if network is None else _choice("--network ", network),
            learning=None if learning is None else _choice("--learning ", learning),
            size=size,
            seed=seed,
            plugins=tuple(plugin or ()),
            catalogues=tuple(catalogue or ()),
            data=data,
            progress=bars,
        )
    print(f"{out}: {n:,} + {m:,} rows of {d} dimensions, for embeddings: {{path: {out.name}}}")


def _choice(option: str, text: str, what: str = "method") -> Mapping[str, Any]:
    """A method or a dataset as a spec names it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        value = YAML(typ="safe").load(text)
    except YAMLError:
        value = None
    if isinstance(value, str):
        return {value: {}}
    if isinstance(value, dict) and len(value) == 1 and isinstance(next(iter(value.values())), dict | None):
        return {str(name): parameters or {} for name, parameters in value.items()}
    raise BadParameter(f"{option}{text} names no {what}", fix=f'{option}NAME, or "NAME: {{PARAMETER: VALUE}}"')
