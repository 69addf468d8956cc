"""What the catalogue says of a dataset: the keys of ``datasets.yaml`` and the types of their values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

PART: Final = "{part}"
_HEX: Final = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or ".." in parts or "\\" in path or (parts and ":" in parts[0]):
        raise ValueError("a folder below the data folder, without .. and with /")
    return path


def _url(url: str) -> str:
    address = urlsplit(url)
    if address.scheme not in ("http", "https", "ftp") or not address.hostname:
        raise ValueError("an address that starts with https://, http:// or ftp://")
    return url


def _not_empty(urls: tuple[str, ...]) -> tuple[str, ...]:
    if not urls:
        raise ValueError("at least one address")
    return urls


def _checksum(text: str) -> str:
    kind, _, value = text.partition(":")
    if text and (kind not in _HEX or not re.fullmatch(r"[0-9a-f]+", value) or len(value) != _HEX[kind]):
        raise ValueError("md5:, sha1:, sha256: or sha512: and the checksum in lower-case hexadecimal")
    return text


def _file_name(name: str) -> str:
    if not name or name in (".", "..") or re.search(r'[/\\:\0*?"<>|]', name):
        raise ValueError("a file name without folders")
    return name


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceFile(_Model):
    """One file that can be downloaded, or ``parts`` of them with ``{part}`` in name and addresses."""

    name: Annotated[str, AfterValidator(_file_name)]
    urls: Annotated[tuple[Annotated[str, AfterValidator(_url)], ...], AfterValidator(_not_empty)]
    """Addresses of the same bytes, tried in this order."""
    to: Annotated[str, AfterValidator(_inside)]
    """Folder below the data folder in which the file, or what the archive holds, ends up."""
    unpack: Literal["", "flat", "tree"] = ""
    """``tree`` unpacks an archive with its folders, ``flat`` without them; empty keeps the file as it is."""
    keep: tuple[str, ...] = ()
    """Suffixes of what is kept of an archive; empty keeps all files."""
    or_at: tuple[Annotated[str, AfterValidator(_inside)], ...] = ()
    """Folders in which another dataset keeps the same unpacked files."""
    parts: Annotated[int, Field(ge=1)] = 1
    holds: Annotated[int, Field(ge=0)] | None = None
    """Files that are in ``to`` when all archives that are unpacked into it are there: then none is fetched again."""
    size: Annotated[int, Field(ge=0)] | None = None
    """Bytes; exact where a checksum is published, else as last seen."""
    checksum: Annotated[str, AfterValidator(_checksum)] = ""
    """``md5:...`` or ``sha256:...``; only where one is published."""
    content: Annotated[str, AfterValidator(_checksum)] = ""
    """Of a ``.gz`` file: checksum of what it holds, so that unpacked and repacked copies can be verified too."""

    @model_validator(mode="after")
    def _parts_are_named(self) -> Self:
        if self.parts > 1 and not all(PART in text for text in (self.name, *self.urls)):
            raise ValueError("a name and addresses with {part} in them, as there are several parts")
        if self.parts > 1 and self.checksum:
            raise ValueError("without checksum, as one cannot hold for several parts")
        return self

    def files(self) -> tuple[SourceFile, ...]:
        """The single files behind this entry, the parts counted from 1."""
        if self.parts == 1:
            return (self,)
        return tuple(
            self.model_copy(
                update={
                    "name": self.name.replace(PART, str(part)),
                    "urls": tuple(url.replace(PART, str(part)) for url in self.urls),
                    "parts": 1,
                }
            )
            for part in range(1, self.parts + 1)
        )


class CatalogueEntry(_Model):
    """One dataset of the catalogue."""

    loader: str
    """Name of the dataset plugin that reads it."""
    task: Literal["retrieval", "active-learning"]
    parameters: Mapping[str, Any] = {}
    """Parameters of the loader; a spec may override them."""
    description: str
    protocol: str
    """How it is evaluated."""
    source: str
    """What to put where, for those who have the files already."""
    licence: str
    citation: str = ""
    homepage: str = ""
    orientation: Literal["", "upright", "stored"] = ""
    """How its image files are shown; empty where there are none."""
    note: str = ""
    """What a user should know before comparing numbers."""
    checksum_source: str = ""
    """Who published the checksums of the files."""
    counts: Mapping[str, Annotated[int, Field(ge=0)]] = {}
    """What the loaded data must hold: train, test, classes; or images, queries, easy, hard, junk."""
    files: tuple[SourceFile, ...] = ()
    """What ``harness datasets fetch`` downloads; nothing where data are embedded or user-supplied."""

    def how_to_get(self, name: str, root: Path) -> str:
        """What to do for data that are missing in a data folder, for error messages."""
        return f"{f'harness datasets fetch {name}; or ' if self.files else ''}{self.source} ({root})"

    @model_validator(mode="after")
    def _counts_are_known(self) -> Self:
        names = COUNTS[self.task]
        if unknown := sorted(set(self.counts) - set(names)):
            raise ValueError(f"without the count {unknown[0]!r}: {self.task} counts {', '.join(names)}")
        if any(file.checksum for file in self.files) and not self.checksum_source:
            raise ValueError("with checksum_source, which says who published the checksums")
        return self


COUNTS: Final[Mapping[str, tuple[str, ...]]] = {
    "active-learning": ("train", "test", "classes"),
    "retrieval": ("images", "queries", "easy", "hard", "junk"),
}
"""What is counted of a dataset of each task."""
