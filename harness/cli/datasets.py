"""``harness datasets``: what can be compared on, where it comes from, how to get it, whether it is correct."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.help import Commands
from harness.cli.listing import registry_of
from harness.cli.options import AsJson, Cache, Catalogues, Data, DatasetName, Plugins
from harness.cli.stand_in import stand_in
from harness.core.errors import BAD_DATA, DONE

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders


class _ShownByName(Commands):
    """``harness datasets mnist`` is ``harness datasets show mnist``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


datasets = typer.Typer(cls=_ShownByName, help="List datasets, show one, download it, verify it, audit it.")
datasets.command("stand-in")(stand_in)


@datasets.callback(invoke_without_command=True)
def _list_by_default(
    ctx: typer.Context, plugin: Plugins = None, catalogue: Catalogues = None, data: Data = None, as_json: AsJson = False
) -> None:
    """List datasets, show one, download it, verify it, audit it. Without a command: list."""
    if ctx.invoked_subcommand is None:
        list_datasets(plugin, catalogue, data, as_json)


@datasets.command("list")
def list_datasets(
    plugin: Plugins = None, catalogue: Catalogues = None, data: Data = None, as_json: AsJson = False
) -> None:
    """List the datasets of the catalogue with what was verified, then loaders of your own data."""
    from harness.cli.dataset_cards import dataset_list
    from harness.data.folders import data_folders

    print(dataset_list(registry_of(plugin), tuple(catalogue or ()), data_folders(data).root, as_json))


@datasets.command()
def show(
    name: DatasetName,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    ground_truth: Annotated[
        Path | None, typer.Option("--ground-truth", help="Write the ground truth to this file as JSON.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show source, checksums, protocol, licence and citation of a dataset, or the parameters of a loader."""
    from harness.cli.dataset_cards import dataset_card

    registry = registry_of(plugin)
    if ground_truth is None:
        print(dataset_card(name, registry, tuple(catalogue or ()), as_json))
        return
    from harness.data.catalogue import named_dataset
    from harness.data.export import write_ground_truth
    from harness.data.folders import data_folders

    dataset = write_ground_truth(
        named_dataset(name, registry, tuple(catalogue or ())), data_folders(data), ground_truth
    )
    print(f"{ground_truth}: {len(dataset.images):,} images, {len(dataset.queries):,} queries")


@datasets.command()
def fetch(
    name: DatasetName,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds without a byte.")] = 30.0,
    keep_archives: Annotated[bool, typer.Option("--keep-archives", help="Keep what was unpacked.")] = False,
    as_json: AsJson = False,
) -> None:
    """Download, unpack and verify a dataset; run the same command again to resume."""
    from harness.cli.dataset_cards import fetched_text
    from harness.cli.display import Bars
    from harness.data.catalogue import named_dataset
    from harness.data.download import RetryPolicy
    from harness.data.fetch import fetch_dataset
    from harness.data.folders import data_folders

    dataset, folders = named_dataset(name, registry_of(plugin), tuple(catalogue or ())), data_folders(data, cache)
    with Bars() as bars:
        fetched = fetch_dataset(
            dataset, folders, progress=bars, policy=RetryPolicy(timeout=timeout), keep_archives=keep_archives
        )
    print(fetched_text(name, fetched, folders.root, as_json))


@datasets.command()
def verify(
    name: DatasetName,
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
    as_json: AsJson = False,
) -> None:
    """Count, compare checksums, decode every image."""
    from harness.cli.dataset_cards import verified_text
    from harness.cli.display import Bars
    from harness.data.catalogue import named_dataset
    from harness.data.folders import data_folders
    from harness.data.verify import verify_dataset

    dataset = named_dataset(name, registry_of(plugin), tuple(catalogue or ()))
    with Bars() as bars:
        verification = verify_dataset(dataset, data_folders(data, cache), progress=bars)
    print(verified_text(verification, as_json))
    raise typer.Exit(BAD_DATA if verification.problems else DONE)


@datasets.command()
def audit(
    target: Annotated[
        str, typer.Argument(metavar="NAME|SPEC", help="A dataset of the catalogue, or a spec: all of its datasets.")
    ],
    plugin: Plugins = None,
    catalogue: Catalogues = None,
    data: Data = None,
    cache: Cache = None,
    near_duplicates: Annotated[
        bool,
        typer.Option(
            "--near-duplicates", help="Also look for almost equal images in train and test, queries and database."
        ),
    ] = False,
    page: Annotated[Path | None, typer.Option("--page", help="Write what was found with thumbnails (.html).")] = None,
    as_json: AsJson = False,
) -> None:
    """Look for what makes numbers wrong: skipped files, labels, duplicates, odd images, boxes, judgements."""
    from harness.cli.dataset_cards import audit_text
    from harness.cli.display import Bars
    from harness.data.audit.audit import audit_dataset
    from harness.data.folders import data_folders

    folders, found = data_folders(data, cache), []
    with Bars() as bars:
        for name, loader, published in _audited(target, plugin, tuple(catalogue or ()), folders):
            found.append(
                audit_dataset(
                    name, loader, folders, published=published, near_duplicates=near_duplicates, progress=bars
                )
            )
    if page is not None:
        from harness.site.audit import write_audit_page

        write_audit_page(found, page)
    print(audit_text(found, as_json))
    raise typer.Exit(BAD_DATA if any(one.of("error") for one in found) else DONE)


def _audited(target: str, plugin: Plugins, catalogues: tuple[Path, ...], folders: DataFolders) -> list[Any]:
    """Name, loader, and whether it is published, of each dataset."""
    if not Path(target).is_file():
        from harness.data.catalogue import named_dataset

        dataset = named_dataset(target, registry_of(plugin), catalogues)
        return [(dataset.name, dataset.loader, bool(dataset.entry.counts))]
    from harness.runs.audited import planned_datasets
    from harness.runs.plan import make_plan

    plan = make_plan(target, folders, plugins=tuple(plugin or ()), catalogues=catalogues)
    planned = planned_datasets(plan.runs).items()
    return [(name, dataset.loader.method, bool(dataset.expected)) for name, dataset in planned]
