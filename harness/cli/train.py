"""``harness train spatial``: fine-tunes the embedded backbone as a spec says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.core.errors import Errors, HarnessError, SpecError, UnknownName, nearest

if TYPE_CHECKING:
    from harness.core.document import At, Document
    from harness.registry import Registry

_KEYS = ("name", "description", "start", "training", "checkpoints", "plugins")


def spatial(
    spec: Annotated[Path, typer.Argument(help="YAML file that describes the training.", show_default=False)],
    plugin: Annotated[list[str] | None, typer.Option("--plugin", help="File or module with methods.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Train what is already there, too.")] = False,
) -> None:
    """Fine-tune the backbone tiny on matching pairs, with and without spatial matching."""
    from harness.cli.display import Bars
    from harness.studies.spatial_training import described, train, write

    planned = read_training(spec, tuple(plugin or ()))
    for path, how, matcher, matching, start in planned:
        if path.exists() and not again:
            print(f"{path} is already there (--again trains it anew)")
            continue
        with Bars() as bars:
            trained = train(how, matcher, start, bars)
        digest = write(path, trained, described(how, matching))
        first, last = trained.losses[: max(1, len(trained.losses) // 10)], trained.losses[-len(trained.losses) // 10 :]
        print(
            f"{path}: mean loss {first.mean():.4f} -> {last.mean():.4f} over {len(trained.losses)} steps, "
            f"{100 * trained.guided:.0f}% of the channels of matching pairs guided, SHA-256 {digest}"
        )


def read_training(spec: Path, plugins: tuple[str, ...] = ()) -> list[tuple[Path, Any, Any, Any, Path | None]]:
    """A spec of spatial training, checked whole: per checkpoint its file, training, matcher, its identity, start.

    Raises:
        Errors: all mistakes found, each with its place.
        SpecError: the spec cannot be read at all.
    """
    from harness.core.document import read_document
    from harness.registry import load_registry

    document, registry = read_document(spec), load_registry(plugins)
    errors: list[HarnessError] = []
    for key in document.data:
        if key not in _KEYS:
            fix = f"{nearest(str(key), _KEYS)} known: {', '.join(_KEYS)}".strip()
            errors.append(document.error(UnknownName(f'unknown key "{key}"', fix=fix), (str(key),), key=True))
    for name in document.data.get("plugins", []):
        registry.load(str(spec.parent / name) if str(name).endswith(".py") else str(name))
    start = document.data.get("start")
    checkpoints = document.data.get("checkpoints")
    if not isinstance(checkpoints, dict) or not checkpoints:
        error = SpecError("checkpoints should map files to what is special about them", fix="a.npz: {matching: none}")
        raise Errors([*errors, document.error(error, ("checkpoints",), key=True)])
    planned = []
    for name in checkpoints:
        how, matcher, matching = _checkpoint(document, str(name), registry, errors)
        planned.append((spec.parent / str(name), how, matcher, matching, spec.parent / start if start else None))
    if errors:
        raise Errors(errors)
    return planned


def _checkpoint(
    document: Document, name: str, registry: Registry, errors: list[HarnessError]
) -> tuple[Any, Any, dict[str, Any] | None]:
    """Training, matcher and what identifies it."""
    from harness.registry import parameters
    from harness.studies.spatial_training import SpatialTraining

    at: At = ("checkpoints", name)
    if not name.endswith(".npz"):
        errors.append(document.error(SpecError(f"{name} is no .npz", fix="checkpoints: {name.npz: ...}"), at, key=True))
    own = dict(document.data["checkpoints"][name] or {})
    given, how, matcher, identity = own.pop("matching", "none"), None, None, None
    try:
        values = {**document.data.get("training", {}), **own}
        how = parameters.validate("spatial training", SpatialTraining, values)
    except Errors as found:
        errors += [document.error(error, _place(document, at, error)) for error in found.errors]
    try:
        matcher, identity = _matcher(given, registry)
    except Errors as found:
        errors += [document.error(error, (*at, "matching")) for error in found.errors]
    except HarnessError as error:
        errors.append(document.error(error, (*at, "matching")))
    return how, matcher, identity


def _matcher(given: Any, registry: Registry) -> tuple[Any, dict[str, Any] | None]:
    """A re-ranker that says where two images match, and its identity; none for ``none``."""
    if given == "none" or given is None:
        return None, None
    name, values = (given, {}) if isinstance(given, str) else next(iter(dict(given).items()))
    matcher = registry.create("reranking", name, **(values or {}))
    if not hasattr(matcher, "attention"):
        raise SpecError(f'reranking "{name}" does not say where images match', fix="matching: dsm")
    identity = registry.identify("reranking", name, matcher)
    return matcher, {"name": name, "parameters": identity.parameters, "digest": identity.digest}


def _place(document: Document, at: At, error: HarnessError) -> At:
    """Of a parameter: with its checkpoint, or among what all share."""
    name = getattr(error, "parameter", "")
    own = document.data["checkpoints"][at[1]] or {}
    return (*at, name) if name in own else ("training", name)
