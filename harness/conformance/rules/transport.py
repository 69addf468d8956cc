"""Rules about travelling: as text into specs and records, as pickles to other processes."""

from __future__ import annotations

import io
import pickle
from typing import Final

from harness.conformance.rule import NotApplicable, Rule, Violation
from harness.conformance.trial import Trial, first_line
from harness.conformance.values import difference, plain, same
from harness.core.errors import HarnessError
from harness.plugin_api import KINDS
from harness.registry import parameters


def _yaml(trial: Trial) -> None:
    from ruamel.yaml import YAML

    method = trial.method()
    yaml = YAML(typ="safe")
    stream = io.StringIO()
    try:
        resolved = parameters.resolved(method)
    except TypeError as error:
        raise Violation(f"its parameters cannot be written down: {error}", right="numbers, strings, lists") from error
    yaml.dump(resolved, stream)
    try:
        again = trial.subject.create(yaml.load(stream.getvalue()) or {})
    except HarnessError as error:
        raise Violation(
            f"written as YAML and read again, its parameters are refused: {first_line(str(error))}",
            given=resolved,
            right="what it accepts once, it accepts again",
        ) from error
    if again != method:
        changed = [name for name, value in resolved.items() if parameters.resolved(again)[name] != value]
        raise Violation(
            f"written as YAML and read again, it is not equal{': ' if changed else ''}{', '.join(changed)}",
            given=resolved,
            right="parameters that are equal after a round trip",
        )


def _pickle(trial: Trial) -> None:
    try:
        again = pickle.loads(pickle.dumps(trial.method()))
    except Exception as error:
        raise Violation(
            f"it cannot be pickled: {type(error).__name__}: {first_line(str(error))}",
            right="a class at the top of its module, fields that can be pickled",
        ) from error
    one = trial.some[0]
    found = plain(trial.answer(one.case, again))
    if not same(found, one.plain):
        raise Violation(
            f"pickled and loaded it answers something else: {difference(one.plain, found)}",
            given=one.given,
            right="nothing that decides the answer lies outside of its fields",
        )


def _survives(trial: Trial) -> None:
    found = trial.elsewhere
    if found.ended:
        raise Violation(
            found.failure, given=found.case.make(), right="an exception: a run that fails leaves a record that says so"
        )


def _worker(trial: Trial) -> None:
    found = trial.elsewhere
    here = next((one for one in trial.answers if one.case is found.case), None)
    if here is None:
        raise NotApplicable(f"it does not answer: {found.case.name}")
    if found.failure:
        raise Violation(
            f"another process cannot run it: {first_line(found.failure)}",
            given=here.given,
            right="nothing that only this process has: modules, open files, global variables",
        )
    if not same(found.plain, here.plain):
        raise Violation(
            f"another process answers something else: {difference(here.plain, found.plain)}",
            given=here.given,
            right="the same bytes; sets and hashes of strings are ordered differently in every process",
        )


RULES: Final = (
    Rule(
        "survives",
        KINDS,
        "A method that ends its process, or never comes back, takes the whole comparison with it.",
        _survives,
        after=("protocol",),
    ),
    Rule(
        "yaml",
        KINDS,
        "Specs and records hold parameters as text: what does not survive it cannot be run again.",
        _yaml,
        after=("protocol",),
    ),
    Rule(
        "pickle",
        KINDS,
        "Methods are sent to worker processes as pickles.",
        _pickle,
        after=("shape", "deterministic", "ignores-global-random", "no-state"),
    ),
    Rule(
        "worker",
        KINDS,
        "Runs are spread over processes and machines: another process must find the method and get the same bytes.",
        _worker,
        after=("shape", "deterministic", "ignores-global-random", "no-state"),
    ),
)
