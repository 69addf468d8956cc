"""What one run leaves: a record, the material for every table. The wire format has a version; readers check it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from harness.core.text import printable, sentence

SCHEMA: Final = 3
"""3: runs are identified by result versions and contents of files; ``harness.runs.upgrade`` reads earlier formats.
2: the file carries a checksum, costs say whether runs contended, failures what was printed and which signal."""

STORED_RANKS: Final = 100
"""Images of each ranking that a record itself holds."""

Number = float | None
"""None where the value is not defined (JSON has no NaN)."""

_OUTPUT: Final = 10_000


def _end_of_output(text: str) -> str:
    return printable(text[-_OUTPUT:], 10 * _OUTPUT, keep="\n\t")[-_OUTPUT:]


Sentence = Annotated[str, AfterValidator(sentence)]
"""Text from outside on one line, made printable."""
Output = Annotated[str, AfterValidator(_end_of_output)]
"""The end of what was printed, made printable."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, strict=True, allow_inf_nan=False)


class MethodRecord(_Part):
    """One configured method."""

    kind: str
    """Kind of method."""
    name: str
    """Its name."""
    parameters: dict[str, Any]
    """All of them, defaults included."""
    plugin: str
    """Distribution, module or file that registered it."""
    version: str
    """Version of that distribution."""
    digest: str
    """What identifies the code: of a built-in method ``v1``, its result version; of any other the digest of its source,
    comments and formatting removed."""
    files: dict[str, str] = {}
    """SHA-256 of what the parameters that name files led to."""
    origin: str
    """Where it was registered."""
    source: str = ""
    """Digest of the exact source that ran, whoever's it is; it identifies nothing."""
    deviations: dict[str, str] = {}
    """Rules of ``harness check`` that the method declares to break, with the reasons."""
    stand_in: bool = False
    """Whether a file that a parameter names, such as weights, is a stand-in."""
    learning_set: DatasetRecord | None = None
    """What a whitening was learnt on, where that is not the dataset of the run."""


class DatasetRecord(_Part):
    """What the run was measured on, or a whitening learnt on."""

    name: str
    """As the spec names it."""
    loader: str
    """Dataset plugin that loads it."""
    parameters: dict[str, Any]
    """Those of the loader, defaults included."""
    fingerprint: str
    """Digest of the data themselves."""
    digest: str = ""
    """What identifies the code of the loader, as of a method."""
    files: dict[str, str] = {}
    """SHA-256 of what its parameters that name files led to."""
    counts: dict[str, int] = {}
    """What was loaded: images, queries, examples."""
    expected: dict[str, int] = {}
    """The counts that the catalogue states for the dataset, where it states them."""
    stand_in: bool = False
    """Whether the data are a stand-in (``harness datasets stand-in``): such numbers are not comparable."""


class CostRecord(_Part):
    """Seconds and bytes of one stage; ``cached``: spent by an earlier run that shared the stage.

    ``contended``: other runs shared the machine meanwhile, so the seconds are too many.
    """

    wall_s: float
    """Seconds on the clock."""
    cpu_s: float
    """Seconds of all processors."""
    peak_bytes: int
    """Most memory that the process held meanwhile, in bytes."""
    cached: bool
    """Whether an earlier run that shares the stage spent this."""
    contended: bool = False
    """Whether other runs shared the machine meanwhile."""


class Failure(_Part):
    """Why a run has no result."""

    code: Sentence
    """Code of a ``HarnessError``, name of another exception, or how the process ended: ``Timeout``, ``MemoryLimit``,
    ``OutputLimit``, ``Exited``, ``Killed``, ``Lost``, ``BadMessage``."""
    message: Sentence
    """The headline, on one line."""
    fix: Sentence = ""
    """What would be right, where the error says so."""
    place: Sentence = ""
    """``mine.py:12 in pool``: where in the code of a plugin it happened."""
    traceback: Output
    """The end of the traceback."""
    signal: str = ""
    """``SIGSEGV``: what ended the process of the run."""
    output: Output = ""
    """The end of what the run printed."""


class Record(_Part):
    """One run: what was asked, what came out, what it cost, where it ran."""

    schema_version: Literal[3] = Field(default=SCHEMA, alias="schema")
    """Version of this format; in the file ``schema``."""
    id: str
    """Identity of the run: what was asked, and of whose code; also the name of the file."""
    status: Literal["done", "failed", "missing"]
    """``missing``: planned but not run; such a record stands in tables and is never written."""
    failure: Failure | None = None
    """Why there is no result."""
    task: Literal["retrieval", "active-learning"]
    """What was measured."""
    protocol: dict[str, Any]
    """All options, defaults included."""
    versions: dict[str, int] = {}
    """Result versions of the packages of the harness that decide the numbers of the task."""
    source: str = ""
    """Digest of the exact source of the engine; it identifies nothing."""
    protocol_id: str
    """Task, version and options that decide the numbers; tables refuse to mix two of them."""
    dataset: DatasetRecord
    """What it was measured on."""
    methods: dict[str, MethodRecord]
    """By kind."""
    non_default: dict[str, list[str]] | None = None
    """Names of the parameters that are not at their default: by kind of method, of ``dataset`` (where the defaults are
    those of the catalogue) and of ``protocol``. None in records of older versions."""
    measured_by: Sentence = ""
    """Who measured it, of a record that was imported; the numbers are theirs. Empty: measured by the harness."""
    preset: str | None = None
    """Names of the presets that its methods take, joined by ``+``."""
    seed: int
    """Seed of the run."""
    metrics: dict[str, Number] = {}
    """Headline numbers, shares in [0, 1]."""
    details: dict[str, Any] = {}
    """Per query or per cycle: the material for statistics."""
    cost: dict[str, CostRecord] = {}
    """By stage."""
    figures: dict[str, Number] = {}
    """Cost figures that are no stage: bytes per image, query seconds."""
    environment: dict[str, Any] = {}
    """Versions, processor, threads, commit and command."""
    started: str
    """Time in UTC, ISO 8601."""
    finished: str
    """Time in UTC, ISO 8601."""

    @property
    def stand_in(self) -> bool:
        """Whether data or files of methods are stand-ins."""
        return self.dataset.stand_in or any(method.stand_in for method in self.methods.values())
