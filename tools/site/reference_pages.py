"""Pages of the reference that the code itself decides: spec, options, records, errors, optional hooks, rules."""

from __future__ import annotations

import ast
import inspect
import typing
from collections.abc import Iterator

from method_pages import documentation
from plain_types import plain, plain_types
from pydantic import BaseModel

import harness.boards.board
import harness.data.disk
import harness.data.download
import harness.runs.executors.calls
import harness.runs.executors.submitting  # noqa: F401  # these five define errors of their own
from harness.active import ActiveProtocol
from harness.conformance.text import rules_markdown
from harness.core import errors
from harness.plugin_api import OPTIONAL_HOOKS
from harness.registry.parameters import describe
from harness.retrieval.protocol import RetrievalProtocol
from harness.runs.record import CostRecord, DatasetRecord, Failure, MethodRecord, Record
from harness.runs.spec import STAGES, _Shape

_PARTS: tuple[type[BaseModel], ...] = (Record, MethodRecord, DatasetRecord, CostRecord, Failure)
_PROTOCOLS: tuple[tuple[str, type], ...] = (("Retrieval", RetrievalProtocol), ("Active learning", ActiveProtocol))


def pages() -> dict[str, str | bytes]:
    """Path in the site -> content."""
    texts = {"spec": _spec(), "options": _options(), "records": _records(), "errors": _errors(), "hooks": _hooks()}
    texts["rules"] = _rules()
    return {f"reference/{name}.md": "\n".join(lines) for name, lines in texts.items()}


def _spec() -> Iterator[str]:
    yield "# Spec file\n"
    yield "Write a spec to say what is compared: a YAML file, checked whole before anything runs. These are its keys.\n"
    yield from _fields(_Shape)
    yield (
        "\nYour editor completes and checks a spec with its JSON schema, which `harness describe --schema` prints. "
        "Give `--plugin` to include your own methods."
    )
    yield "\n## methods\n"
    yield (
        "One or more kinds of method, each a name, `none`, a mapping from a name to its parameters, or a list of "
        "alternatives. A list given to a parameter is a sweep. A list of mappings holds several sets of combinations.\n"
    )
    yield "| task | kinds, in the order of the data |\n| --- | --- |"
    for task, kinds in STAGES.items():
        yield f"| `{task}` | {', '.join(f'`{kind}`' for kind in kinds)} |"
    yield "\n[All methods with their parameters](../methods/index.md), [options of `protocol`](options.md)."


def _options() -> Iterator[str]:
    yield "# Protocol options\n"
    yield "Set these under `protocol`, or for one dataset under `protocols`. They decide the numbers of a board.\n"
    for title, protocol in _PROTOCOLS:
        meanings, types = documentation(protocol).parameters, plain_types(protocol)
        yield f"## {title}\n\n| option | type | default | meaning |\n| --- | --- | --- | --- |"
        for option in describe(protocol):
            yield _row(f"`{option.name}`", types[option.name], f"`{option.default}`", meanings.get(option.name, ""))
        yield ""


def _records() -> Iterator[str]:
    yield "# Records\n"
    yield "Each run leaves one JSON file, its record, with these fields. A board is a view over records.\n"
    for part in _PARTS:
        yield f"## {part.__name__}\n\n{_plain(inspect.getdoc(part) or '')}\n"
        yield from _fields(part)
        yield ""


def _fields(owner: type[BaseModel]) -> Iterator[str]:
    """The annotated fields of a class as a table."""
    yield "| field | type | default | meaning |\n| --- | --- | --- | --- |"
    hints = typing.get_type_hints(owner, include_extras=True)
    for field, meaning in _documented(owner):
        name = ast.unparse(field.target)
        value = owner.model_fields[name]
        default = "" if value.is_required() else f"`{value.get_default(call_default_factory=True)!r}`"
        yield _row(f"`{name}`", plain(hints[name]), default, meaning)


def _documented(owner: type) -> Iterator[tuple[ast.AnnAssign, str]]:
    """Each annotated field with the docstring that stands below it in the source."""
    body = next(node.body for node in ast.parse(inspect.getsource(owner)).body if isinstance(node, ast.ClassDef))
    for statement, below in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.AnnAssign):
            text = below.value if isinstance(below, ast.Expr) else None
            yield statement, _plain(str(text.value)) if isinstance(text, ast.Constant) else ""


def _plain(text: str) -> str:
    return " ".join(text.split())


def _errors() -> Iterator[str]:
    yield "# Errors and exit codes\n"
    yield (
        "Find the code of a message here. A message says what is wrong, where, why, and how to mend it; the code stays "
        "the same when the sentence changes. The record of a failed run holds it under `failure.code`.\n"
    )
    yield "| code | class | exit code | meaning |\n| --- | --- | --- | --- |"
    for error in sorted(_classes(), key=lambda error: error.code):
        meaning = (inspect.getdoc(error) or "").partition("\n\n")[0]
        yield _row(f"`{error.code}`", f"`{error.__name__}`", str(error.exit_code), meaning)
    yield "\n## Exit codes\n\n| code | meaning |\n| --- | --- |"
    for code, meaning in errors.EXIT_CODES.items():
        yield _row(str(code), meaning)
    code = next(meaning for field, meaning in _documented(Failure) if ast.unparse(field.target) == "code")
    yield f"\n## Codes of failed runs\n\n{code}"


def _classes(base: type[errors.HarnessError] = errors.HarnessError) -> list[type[errors.HarnessError]]:
    """Every error of the harness with a code of its own, where a module that is imported here defines it."""
    own = [base] if "code" in vars(base) and base.__module__.startswith("harness.") else []
    return own + [error for child in base.__subclasses__() for error in _classes(child)]


def _hooks() -> Iterator[str]:
    yield "# Optional hooks\n"
    yield (
        "Give a method one of these to offer more than its kind asks for. The harness finds it by its methods; nothing "
        "is declared. All are imported from `harness.plugin_api`; [their signatures](protocols.md).\n"
    )
    yield "| hook | kinds | methods | meaning |\n| --- | --- | --- | --- |"
    for hook, kinds in OPTIONAL_HOOKS.items():
        names = ", ".join(f"`{name}`" for name in vars(hook) if not name.startswith("_"))
        meaning = (inspect.getdoc(hook) or "").partition("\n\n")[0]
        yield _row(f"`{hook.__name__}`", ", ".join(kinds), names, meaning)


def _rules() -> Iterator[str]:
    yield "# Conformance rules\n"
    yield (
        "Look up what `harness check` tests, and why ([check a plugin](../conformance.md)). A name in brackets is the "
        "[optional hook](hooks.md) that a rule tests: it is tried where a method offers it.\n"
    )
    yield rules_markdown()


def _row(*cells: str) -> str:
    plain = (" ".join(cell.split()).replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(plain)} |"
