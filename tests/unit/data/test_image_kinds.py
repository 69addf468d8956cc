"""Image files of every common form, decoded as other libraries decode them, and what is refused."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.core.errors import DataDamaged, InvalidInput
from harness.data.decode import PIXELS_VARIABLE, decode_image, decode_squares, image_size, undecodable

FIXTURES = Path(__file__).parents[2] / "fixtures"
_spec = importlib.util.spec_from_file_location("image_kinds", FIXTURES / "image_kinds.py")
image_kinds = importlib.util.module_from_spec(_spec)
sys.modules["image_kinds"] = image_kinds
_spec.loader.exec_module(image_kinds)
EXIF, kinds, pixels = image_kinds.EXIF, image_kinds.kinds, image_kinds.pixels

pytest.importorskip("skimage")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    return folder, list(kinds(folder))


def test_every_kind_is_decoded_as_another_library_decodes_it_or_refused(written):
    folder, all_kinds = written
    assert len(all_kinds) >= 25
    for kind in all_kinds:
        path = folder / kind.file
        if kind.decode is None:
            with pytest.raises(DataDamaged, match="save it with 8"):
                decode_image(path)
            continue
        image = np.asarray(decode_image(path, orientation=kind.orientation)).astype(int)
        reference = np.asarray(kind.decode(path)).astype(int)
        reference = reference if reference.ndim == 3 else np.dstack([reference] * 3)
        assert image.shape == reference.shape, kind.name
        assert np.abs(image - reference).max() <= kind.tolerance, kind.name
        assert image_size(path, kind.orientation) == image.shape[1::-1], kind.name


def test_the_documentation_has_a_row_for_every_kind(written):
    text = (Path(__file__).parents[3] / "docs" / "how-to" / "audit.md").read_text(encoding="utf-8")
    assert [kind.name for kind in written[1] if f"| {kind.name} |" not in text] == []


def test_grey_is_that_of_the_colours(written):
    folder, all_kinds = written
    for kind in all_kinds:
        if kind.decode is not None:
            grey = decode_image(folder / kind.file, "L")
            np.testing.assert_array_equal(np.asarray(grey), np.asarray(decode_image(folder / kind.file).convert("L")))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_every_format(tmp_path, suffix, orientation):
    from PIL import ImageOps

    ramp = np.repeat(np.repeat(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, 16, 0), 16, 1)
    exif = Image.Exif()
    exif[EXIF] = orientation
    path, plain = tmp_path / f"image.{suffix}", tmp_path / f"plain.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix == "jpg" else {}
    Image.fromarray(ramp).convert("RGB").save(path, exif=exif, **options)
    Image.fromarray(ramp).convert("RGB").save(plain, **options)
    with Image.open(plain) as file:
        stored = file.convert("RGB")
    marked = stored.copy()
    marked.getexif()[EXIF] = orientation
    upright = ImageOps.exif_transpose(marked)
    np.testing.assert_array_equal(np.asarray(decode_image(path, orientation="stored")), np.asarray(stored))
    np.testing.assert_array_equal(np.asarray(decode_image(path)), np.asarray(upright))
    assert image_size(path) == upright.size
    assert image_size(path, "stored") == stored.size
    squares = decode_squares([path], 16, 1, "stored"), decode_squares([path], 16, 1)
    assert np.array_equal(*squares) == (orientation == 1)


def test_exif_that_cannot_be_read_is_upright(tmp_path):
    Image.fromarray(pixels(3, 255)).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert decode_image(tmp_path / "a.jpg").size == (32, 24)


def test_avif_is_read_where_pillow_has_it(tmp_path):
    from PIL import features

    if not features.check("avif"):
        pytest.skip("Pillow without AVIF")
    Image.new("RGB", (32, 24), (200, 40, 90)).save(tmp_path / "a.avif")
    assert undecodable([tmp_path / "a.avif"]) == []
    np.testing.assert_allclose(np.asarray(decode_image(tmp_path / "a.avif"))[0, 0], (200, 40, 90), atol=8)


def test_an_image_above_the_limit_says_how_to_allow_it(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("RGB", (30, 20)).save(tmp_path / "large.png")
    (problem,) = undecodable([tmp_path / "large.png"])
    assert "decompression bomb" in problem
    assert f"{PIXELS_VARIABLE}=" in problem
    monkeypatch.setenv(PIXELS_VARIABLE, "many")
    with pytest.raises(InvalidInput, match="many is not a number"):
        decode_image(tmp_path / "large.png")
    monkeypatch.setenv(PIXELS_VARIABLE, "600")
    assert decode_image(tmp_path / "large.png").size == (30, 20)


@pytest.mark.parametrize("reader", ["decode_image", "image_size"])
def test_an_eps_named_jpg_starts_nothing(tmp_path, monkeypatch, reader):
    import subprocess

    from harness.data import decode

    monkeypatch.setattr(subprocess, "Popen", None)
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(DataDamaged, match="it is not an image"):
        getattr(decode, reader)(tmp_path / "a.jpg")
