"""The catalogue ``datasets.yaml``: named datasets, each a loader with parameters, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import DataDamaged

_PLACES: Final = (Path(__file__).with_name("datasets.yaml"), Path(__file__).parents[2] / "datasets.yaml")
"""Inside an installed package; at the top of a checkout."""


class CatalogueEntry(BaseModel):
    """One dataset of the catalogue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loader: str
    """Name of the dataset plugin that reads it."""
    task: Literal["retrieval", "active-learning"]
    parameters: Mapping[str, Any] = {}
    """Parameters of the loader; a spec may override them."""
    description: str
    protocol: str
    """How it is evaluated."""
    source: str
    """Where the data come from and where the loader looks for them."""
    licence: str
    citation: str = ""


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, CatalogueEntry]:
    """All entries by name, sorted. Raises ``DataDamaged`` if the file is missing or an entry is wrong."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = next((place for place in _PLACES if place.is_file()), None)
    if path is None:
        raise DataDamaged("the catalogue datasets.yaml is missing", fix="install the package again")
    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return {name: CatalogueEntry.model_validate(data[name]) for name in sorted(data)}
    except (YAMLError, ValidationError, TypeError) as error:
        raise DataDamaged(f"the catalogue {path} is damaged: {error}") from error
