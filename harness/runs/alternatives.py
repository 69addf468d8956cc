"""The datasets, methods and protocol options that a spec names, created and checked; lists become alternatives."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.core.document import At
from harness.core.errors import (
    BadParameter,
    DataDamaged,
    DataMissing,
    Errors,
    HarnessError,
    PluginError,
    SpecError,
    UnknownName,
    nearest,
    nearest_or_all,
)
from harness.data.checkpoint import file_content
from harness.data.entry import CatalogueEntry
from harness.plugin_api import DataFolders
from harness.registry import Registry, parameters
from harness.registry.mistakes import require_methods
from harness.runs.file_parameters import file_parameters
from harness.runs.identity import Configured, PlannedDataset, protocol_class
from harness.runs.learning_sets import LEARN_ON, as_parameter, learns_on
from harness.runs.spec import Choice, Combination, Spec


class Alternatives:
    """Makes what a spec names; mistakes are collected, each with its place in the spec, and so is what is missing.

    Args:
        spec: names and parameters.
        registry: where methods come from.
        catalogue: datasets by name.
        folders: where data live.
        errors: takes the mistakes.
    """

    def __init__(
        self,
        spec: Spec,
        registry: Registry,
        catalogue: Mapping[str, CatalogueEntry],
        folders: DataFolders,
        errors: list[HarnessError],
    ) -> None:
        self._spec, self._registry, self._catalogue, self._folders = spec, registry, catalogue, folders
        self._errors = errors
        self.missing: list[HarnessError] = []

    def load_plugins(self) -> None:
        """Load the plugins of the spec; paths start at its folder."""
        for position, plugin in enumerate(self._spec.plugins):
            try:
                self._registry.load(str(self._spec.folder / plugin) if plugin.endswith(".py") else plugin)
            except HarnessError as error:
                self._mistake(error, ("plugins", position))

    def require_few(self, combinations: Iterable[Combination]) -> None:
        """Raise ``SpecError`` where the spec means more runs than can be planned; nothing is made to find out."""
        spec, protocol, runs = self._spec, protocol_class(self._spec.task), 0
        for combination in combinations:
            axes = (sum(self._count(kind, choice) for choice in choices) for kind, choices in combination.kinds.items())
            methods = math.prod(axes)
            for choice in spec.datasets:
                entry = self._catalogue.get(choice.name)
                options = {**spec.protocol, **spec.protocols.get(choice.name, {}), **combination.protocol}
                loader = Choice(entry.loader if entry else choice.name, choice.parameters)
                settings = self._count("dataset", loader) * parameters.sweep_count(protocol, options)
                runs += methods * settings * len(spec.seeds)
        if runs > parameters.MOST_RUNS:
            reason = f"the spec means {runs:,} runs; at most {parameters.MOST_RUNS:,} can be planned"
            raise SpecError(reason, where=spec.document.locate(()), fix="sweep less at once")

    def protocols(self, options: Mapping[str, Any] = MappingProxyType({}), at: At = ()) -> dict[str, dict[str, Any]]:
        """Protocol options by dataset, "" for all that have none of their own; each by its setting.

        Args:
            options: those of a combination of methods, which count before all others; the mistakes of others are
                collected without any.
            at: where the spec has them.
        """
        if not options:
            self._require_known_datasets()
        return {name: self._protocols_of(name, options, at) for name in ("", *self._spec.protocols)}

    def _require_known_datasets(self) -> None:
        """Collect the mistakes of options that are for no dataset of the spec."""
        names = [choice.name for choice in self._spec.datasets]
        for name in self._spec.protocols:
            if name not in names:
                fix = f"{nearest(name, names)} datasets of this spec: {', '.join(names)}".strip()
                error = UnknownName(f'protocols: "{name}" is not a dataset of this spec', fix=fix)
                self._mistake(error, ("protocols", name), key=True)

    def datasets(self) -> Iterator[PlannedDataset]:
        """The datasets of the catalogue or of plugins; their parameters may be swept too."""
        for choice in self._spec.datasets:
            yield from self._datasets_of(choice)

    def _datasets_of(self, choice: Choice) -> Iterator[PlannedDataset]:
        entry = self._catalogue.get(choice.name)
        loader = entry.loader if entry else choice.name
        if loader not in self._registry.names("dataset"):
            names = {*self._catalogue, *self._registry.names("dataset")}
            fix = nearest_or_all(choice.name, names, "harness datasets")
            self._mistake(UnknownName(f'unknown dataset "{choice.name}"', fix=fix), choice.at)
            return
        values = {**(entry.parameters if entry else {}), **choice.parameters}
        for configured in self._configured("dataset", Choice(loader, values, choice.at)):
            yield from self._dataset(choice, configured, entry)

    def methods(self, combination: Combination) -> Iterator[dict[str, Configured]]:
        """All combinations of one alternative per kind; a stage that is none is left out."""
        axes: list[list[tuple[str, Configured | None]]] = []
        for kind, choices in combination.kinds.items():
            axis: list[tuple[str, Configured | None]] = []
            for choice in choices:
                axis += [(kind, method) for method in (self._configured(kind, choice) if choice else (None,))]
            axes.append(axis)
        for methods in itertools.product(*axes):
            yield {kind: method for kind, method in methods if method is not None}

    def _count(self, kind: str, choice: Choice | None) -> int:
        """Alternatives that a choice means; what is wrong with it is found later, and counts as one."""
        if choice is None:
            return 1
        try:
            return parameters.sweep_count(self._registry.entry(kind, choice.name).load(), choice.parameters)
        except HarnessError:
            return 1

    def _protocols_of(self, dataset: str, special: Mapping[str, Any], special_at: At) -> dict[str, Any]:
        """Options of a dataset as the task's dataclass, one for each combination of the lists that are swept.

        Keys name the swept options and those of the combination of methods; there is one, empty, where there are none.
        """
        label, protocol = f"{self._spec.task} protocol", protocol_class(self._spec.task)
        names = {parameter.name for parameter in parameters.describe(protocol)}
        own = self._spec.protocols.get(dataset, {})
        stated: Mapping[str, Any] = {**self._spec.arithmetic, **self._spec.protocol, **own, **special}
        options = {name: value for name, value in stated.items() if name in names}
        # Unknown names go along, for their mistakes to be reported with the others: each once.
        stated = special or (own if dataset else self._spec.protocol)
        unknown = {name: value for name, value in stated.items() if name not in names}
        protocols: dict[str, Any] = {}
        mistakes: dict[str, HarnessError] = {}
        for values in parameters.sweep(label, protocol, options):
            swept = {name: value for name, value in values.items() if name in special or value != options[name]}
            setting = " ".join(f"{name}={_setting(value)}" for name, value in swept.items())
            try:
                protocols[setting] = parameters.validate(label, protocol, {**values, **unknown})
            except Errors as wrong:
                mistakes |= {error.headline: error for error in wrong.errors}
        for error in mistakes.values():
            name = getattr(error, "parameter", "")
            if not special or (name in special and not dataset):
                at: At = special_at or (("protocols", dataset) if name in own else ("protocol",))
                self._mistake(error, _at_parameter(at, error))
        return protocols

    def _dataset(self, choice: Choice, loader: Configured, entry: CatalogueEntry | None) -> Iterator[PlannedDataset]:
        if loader.method.task != self._spec.task:
            reason = f'dataset "{choice.name}" is for {loader.method.task}, the task is {self._spec.task}'
            self._mistake(BadParameter(reason), choice.at)
            return
        expected, stated = (entry.counts, entry.parameters) if entry else ({}, {})
        changed = tuple(parameters.non_default(loader.method, stated))
        planned = PlannedDataset(choice.name, loader, "", expected, changed)
        try:
            yield replace(planned, fingerprint=loader.method.fingerprint(self._folders))
        except DataMissing as error:
            if entry and entry.files:
                error.fix = entry.how_to_get(choice.name, self._folders.root)
            elif str(self._folders.root) in error.headline:
                error.fix = "; or ".join(filter(None, [error.fix, "name the data folder with --data"]))
            self.missing.append(self._spec.document.error(error, choice.at))
            yield planned
        except HarnessError as error:
            self._mistake(error, choice.at)

    def _configured(self, kind: str, choice: Choice) -> Iterator[Configured]:
        """The method with each combination of the parameters that are swept."""
        label = f'{kind} "{choice.name}"'
        try:
            method = self._registry.entry(kind, choice.name).load()
            combinations = list(parameters.sweep(label, method, choice.parameters))
        except HarnessError as error:
            self._mistakes(error, choice.at)
            return
        reported: set[str] = set()
        for values in combinations:
            incomplete, files = False, {}
            try:
                files = file_parameters(label, method, values, self._spec.places(self._folders), self._folders)
                instance = parameters.validate(label, method, values | {name: f.path for name, f in files.items()})
                _require_stated_checksum(instance, values)
            except DataMissing as error:
                self.missing.append(self._spec.document.error(error, choice.at))
                instance, incomplete = parameters.unprepared(method, values), True
            except PluginError as error:
                self._mistakes(error, choice.at)
                return
            except DataDamaged as error:
                if error.headline not in reported:
                    self._mistakes(error, choice.at)
                reported.add(error.headline)
                continue
            except Errors as wrong:
                self._mistakes(Errors([e for e in wrong.errors if e.headline not in reported]), choice.at)
                reported.update(error.headline for error in wrong.errors)
                continue
            if not self._fits(kind, choice, instance):
                return
            learning = None
            if named := learns_on(kind, instance):
                if (learning := self._learning_set(named, (*choice.at, LEARN_ON))) is None:
                    return
                files = {**files, LEARN_ON: as_parameter(learning)}
                incomplete = incomplete or not learning.fingerprint
            try:
                identity = self._registry.identify(kind, choice.name, instance, files)
                yield Configured(instance, identity, incomplete, learning)
            except PluginError as error:
                self._mistakes(error, choice.at)

    def _fits(self, kind: str, choice: Choice, instance: Any) -> bool:
        """Whether a method has what its kind is called by; else that is a mistake."""
        try:
            require_methods(kind, choice.name, instance)
        except PluginError as error:
            self._mistakes(error, choice.at)
            return False
        return True

    def _learning_set(self, name: str, at: At) -> PlannedDataset | None:
        """The dataset of this name, the first where its entry sweeps; None after a mistake."""
        return next(self._datasets_of(Choice(name, {}, at)), None)

    def _mistakes(self, error: HarnessError, at: At) -> None:
        """A mistake, or several, each at the parameter that is wrong."""
        for single in error.errors if isinstance(error, Errors) else [error]:
            if at:
                self._mistake(single, _at_parameter(at, single))
            else:  # of a method that --add names: no line of the spec is wrong
                self._errors.append(single)

    def _mistake(self, error: HarnessError, at: At, *, key: bool = False) -> None:
        self._errors.append(self._spec.document.error(error, at, key=key))


def _require_stated_checksum(method: Any, values: Mapping[str, Any]) -> None:
    """A checksum that a spec states for its weights is compared now, not by every run. Raises ``DataDamaged``."""
    if (stated := values.get("checksum")) and isinstance(weights := getattr(method, "weights", None), Path):
        file_content(weights, stated)


def _at_parameter(at: At, error: HarnessError) -> At:
    name = getattr(error, "parameter", "")
    return (*at, name) if name else at


def _setting(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)
