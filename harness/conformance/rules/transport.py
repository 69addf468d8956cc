"""Rules about travelling: as text into specs and records, as pickles to other processes."""

from __future__ import annotations

import io
import pickle
from typing import Final

from harness.conformance.rule import SOUND, NotApplicable, RuleSet, Violation
from harness.conformance.trial import Trial, first_line
from harness.conformance.values import difference, plain, same
from harness.conformance.worker import subprocess_result
from harness.core.errors import HarnessError
from harness.plugin_api import KINDS
from harness.registry import parameters

RULES: Final = RuleSet(*KINDS)


@RULES.rule(
    "yaml", "Specs and records hold parameters as text: what does not survive it cannot be run again.", ("protocol",)
)
def _yaml(trial: Trial) -> None:
    from ruamel.yaml import YAML

    entry, method = trial.tested.entry, trial.method()
    yaml = YAML(typ="safe")
    stream = io.StringIO()
    try:
        resolved = parameters.resolved(method)
    except TypeError as error:
        raise Violation(f"its parameters cannot be written down: {error}", right="numbers, strings, lists") from error
    yaml.dump(resolved, stream)
    try:
        # By keyword, as a run is restored from its record: a parameter may have any name.
        again = trial.tested.registry.create(entry.kind, entry.name, **yaml.load(stream.getvalue()) or {})
    except HarnessError as error:
        raise Violation(
            f"written as YAML and read again, its parameters are refused: {first_line(str(error))}",
            inputs=resolved,
            right="what it accepts once, it accepts again",
        ) from error
    if again != method:
        changed = [name for name, value in resolved.items() if parameters.resolved(again)[name] != value]
        raise Violation(
            f"written as YAML and read again, it is not equal{': ' if changed else ''}{', '.join(changed)}",
            inputs=resolved,
            right="parameters that are equal after a round trip",
        )


@RULES.rule(
    "pickle",
    "Methods are sent to worker processes as pickles.",
    SOUND,
)
def _pickle(trial: Trial) -> None:
    try:
        again = pickle.loads(pickle.dumps(trial.method()))
    except Exception as error:
        raise Violation(
            f"it cannot be pickled: {type(error).__name__}: {first_line(str(error))}",
            right="a class at the top of its module, fields that can be pickled",
        ) from error
    answered = trial.some[0]
    found = plain(trial.answer(answered.case, again))
    if not same(found, answered.plain):
        raise Violation(
            f"pickled and loaded it answers something else: {difference(answered.plain, found)}",
            inputs=answered.inputs,
            right="nothing that decides the answer lies outside of its fields",
        )


@RULES.rule(
    "survives",
    "A method that ends its process, or never comes back, takes the whole comparison with it.",
    ("protocol",),
)
def _survives(trial: Trial) -> None:
    found = subprocess_result(trial)
    if found.ended:
        raise Violation(
            found.failure, inputs=found.case.make(), right="an exception: a run that fails leaves a record that says so"
        )


@RULES.rule(
    "worker",
    "Runs are spread over processes and machines: another process must find the method and get the same bytes.",
    SOUND,
)
def _worker(trial: Trial) -> None:
    found = subprocess_result(trial)
    here = next((answered for answered in trial.answers if answered.case is found.case), None)
    if here is None:
        raise NotApplicable(f"it does not answer: {found.case.name}")
    if found.failure:
        raise Violation(
            f"another process cannot run it: {first_line(found.failure)}",
            inputs=here.inputs,
            right="nothing that only this process has: modules, open files, global variables",
        )
    if not same(found.plain, here.plain):
        raise Violation(
            f"another process answers something else: {difference(here.plain, found.plain)}",
            inputs=here.inputs,
            right="the same bytes; sets and hashes of strings are ordered differently in every process",
        )


@RULES.rule(
    "declared-files",
    "A file that no parameter names is part of no identity: when it changes, old results pass for new ones.",
    ("worker",),
)
def _declared_files(trial: Trial) -> None:
    found = subprocess_result(trial)
    if found.undeclared:
        raise Violation(
            f"it reads {found.undeclared[0]}, which no parameter names",
            inputs=found.case.make(),
            right="a field annotated Path for each file (of a dataset: a file below the data folder)",
        )
