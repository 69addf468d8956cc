"""A bundle: records with all that belongs to them in one file, whose name is a digest of its content.

It is an uncompressed zip archive with the names in order and no times, so that the same content gives the same bytes on
every machine::

    manifest.json            who measured, licence, contact, environments, audits, checksum of each other part
    spec.yaml                what was compared, where there is a spec
    runs/ID.json             records, as harness run writes them
    runs/ID.ranks.npy        stored rankings
    plugins/NAME/...         source of the plugin files with methods of the records

Whoever reads one may have got it from anybody: nothing in it is run, and no part may lie elsewhere, grow out of
proportion, or be missing.
"""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from harness.core.digest import file_checksum
from harness.core.errors import DataDamaged, DataMissing
from harness.core.scratch import scratch_folder
from harness.core.signed import signed, unsigned
from harness.core.text import sentence
from harness.data.archives import Limits, unpack
from harness.runs.kept_ranks import read_ranks
from harness.runs.record import Record, Sentence
from harness.runs.store import Store, read_record

SUFFIX: Final = ".zip"
_MANIFEST: Final = "manifest.json"
SPEC: Final = "spec.yaml"
RUNS: Final = "runs"
PLUGINS: Final = "plugins"
_RANKS: Final = ".ranks.npy"
_PART: Final = re.compile(r"spec\.yaml|runs/[0-9a-f]{24}(\.json|\.ranks\.npy)|plugins(/[A-Za-z0-9_.-]+){2,}")
_ID: Final = re.compile(r"[0-9a-f]{24}")
_LIMITS: Final = Limits(ratio=20, members=1_000_000)
"""What is read of an archive that was compressed again; one that harness publish wrote has a ratio of 1."""
_LARGEST_MANIFEST: Final = 64 << 20
_AGAIN: Final = "get it again from whoever published it; harness publish writes bundles"

Named = Annotated[Sentence, StringConstraints(min_length=1, max_length=200)]


class Manifest(BaseModel):
    """What a bundle says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1
    """Version of this format."""
    name: Sentence = ""
    """Of the spec."""
    measured_by: Named
    """Who did the runs, as they want to be named."""
    licence: Named
    """Under which the records may be used."""
    contact: Sentence = ""
    """Whom to ask."""
    environments: list[dict[str, Any]] = []
    """Where the runs happened, each once."""
    audits: list[dict[str, Any]] = []
    """Of each dataset: its name, fingerprint and counts, and what the audit of the data warned of."""
    files: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]
    """SHA-256 of each part."""

    @property
    def content(self) -> bytes:
        """The bytes of its file."""
        return signed(self.model_dump())

    @property
    def id(self) -> str:
        """The id of the bundle: it has the checksums of all parts in it."""
        return content_id(self.content)


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read: all its records are what runs can have left.

    Attributes:
        manifest: what it says of itself.
        folder: where its parts lie, until the process ends.
    """

    manifest: Manifest
    folder: Path

    @property
    def id(self) -> str:
        """Digest of its content."""
        return self.manifest.id

    @property
    def content(self) -> bytes:
        """The bytes of its file, whatever archive it was read from."""
        return packed(self.manifest, {name: (self.folder / name).read_bytes() for name in self.manifest.files})

    @property
    def run_ids(self) -> list[str]:
        """Of its records, in order."""
        files = (Path(name) for name in self.manifest.files)
        return sorted(file.stem for file in files if file.parent == Path(RUNS) and file.suffix == ".json")

    @property
    def plugins(self) -> list[Path]:
        """The folders of the sources of methods; nothing loads them by itself."""
        folder = self.folder / PLUGINS
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def record(self, run_id: str) -> Record:
        """One of its records."""
        return read_record(self.folder / RUNS / f"{run_id}.json")


def packed(manifest: Manifest, parts: Mapping[str, bytes]) -> bytes:
    """The file of a bundle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted({**parts, _MANIFEST: manifest.content}.items()):
            about = zipfile.ZipInfo(name)  # dated 1980
            about.create_system, about.external_attr = 3, 0o644 << 16
            archive.writestr(about, content)
    return file.getvalue()


def content_id(content: bytes) -> str:
    """The id of a bundle or a record by the bytes of its file."""
    return hashlib.sha256(content).hexdigest()[:24]


def is_part(name: str) -> bool:
    """Whether a bundle may have a part of this name."""
    return bool(_PART.fullmatch(name)) and "/." not in name and len(name) < 200


def open_bundle(path: str | Path) -> Bundle:
    """Read a bundle, check each part of it, and read each record once.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: it is not a bundle, not what its name or its manifest says, or holds a record that no run can have
            left.
    """
    path = Path(path)
    if not path.is_file():
        raise DataMissing(f"there is no bundle {path}", fix="give the file that harness publish wrote, or its folder")
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            raise DataDamaged(f"{path} is no bundle", fix="harness publish SPEC --out FOLDER writes one")
    folder = Path(tempfile.mkdtemp(prefix="bundle-", dir=scratch_folder())) / "parts"
    unpack(path, folder, limits=_LIMITS)
    manifest = _manifest(path, folder)
    if _ID.fullmatch(path.stem) and path.stem != manifest.id:
        raise DataDamaged(f"{path} is not the bundle of this name: its content gives {manifest.id}", fix=_AGAIN)
    _check_parts(path, folder, manifest)
    bundle = Bundle(manifest, folder)
    if not bundle.run_ids:
        raise DataDamaged(f"{path} holds no record", fix=_AGAIN)
    for name in manifest.files:
        if name.endswith(_RANKS) and name.removesuffix(_RANKS) + ".json" not in manifest.files:
            raise DataDamaged(f"{path}: {name} is beside no record", fix=_AGAIN)
    for run_id in bundle.run_ids:
        _check_record(path, bundle, run_id)
    return bundle


def bundle_files(places: Sequence[str | Path]) -> list[Path]:
    """Bundles by name: of a folder all that lie in it. Raises ``DataMissing``."""
    files: list[Path] = []
    for place in map(Path, places):
        found = sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place]
        if not found:
            raise DataMissing(f"there is no bundle in {place}", fix="harness publish SPEC --out FOLDER writes one")
        files += found
    return files


def _manifest(path: Path, folder: Path) -> Manifest:
    file = folder / _MANIFEST
    try:
        if file.stat().st_size > _LARGEST_MANIFEST:
            raise ValueError("its manifest is too large")
        return Manifest.model_validate(unsigned(file.read_bytes()))
    except FileNotFoundError as error:
        raise DataDamaged(f"{path} is not a bundle: it has no {_MANIFEST}", fix=_AGAIN) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = sentence(".".join(map(str, first["loc"])), 80)
        raise DataDamaged(f"{path} has a wrong manifest: {where}: {first['msg']}", fix=_AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise DataDamaged(f"{path} has a damaged manifest: {sentence(error, 200)}", fix=_AGAIN) from error


def _check_parts(path: Path, folder: Path, manifest: Manifest) -> None:
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()} - {_MANIFEST}
    wrong = sorted({*manifest.files} ^ there)
    if wrong:
        what = "is in no checksum" if wrong[0] in there else "is missing"
        raise DataDamaged(f"{path}: {sentence(wrong[0], 200)} {what}", fix=_AGAIN)
    for name, checksum in manifest.files.items():
        if not is_part(name):
            raise DataDamaged(f"{path}: a bundle has no part {sentence(name, 200)}", fix=_AGAIN)
        if file_checksum(folder / name) != checksum:
            raise DataDamaged(f"{path}: {name} is not what was published: its checksum differs", fix=_AGAIN)


def _check_record(path: Path, bundle: Bundle, run_id: str) -> None:
    try:
        record = bundle.record(run_id)
        if record.id != run_id:
            raise DataDamaged(f"it is the record of {record.id}")
        if record.measured_by:
            raise DataDamaged("it was imported: its numbers are those of others")
        store = Store(bundle.folder / RUNS)
        if store.ranks_path(run_id).is_file():
            if not isinstance(record.details.get("kept_ranks"), dict):
                raise DataDamaged("it says nothing of the rankings beside it")
            read_ranks(record, store)
    except DataDamaged as error:
        reason = error.headline.replace(str(bundle.folder), "").lstrip("/")
        raise DataDamaged(f"{path}: record {run_id}: {reason}", fix=_AGAIN) from error
