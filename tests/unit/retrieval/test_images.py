"""Reading images: crop, size, damage."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from harness.core.errors import DataDamaged, DataMissing
from harness.retrieval.images import read_image


def saved(tmp_path, width, height, name="image.png", **options):
    rng = np.random.default_rng(width * height)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / name, **options)
    return tmp_path / name, pixels


@pytest.mark.parametrize(
    ("size", "shape"), [(40, (30, 40)), (1024, (60, 80)), (80, (60, 80)), (1, (1, 1)), (20, (15, 20))]
)
def test_longest_side_and_never_enlarged(tmp_path, size, shape):
    path, _ = saved(tmp_path, 80, 60)
    assert read_image(path, size).shape == (*shape, 3)


def test_pixels_are_kept_where_nothing_shrinks(tmp_path):
    path, pixels = saved(tmp_path, 17, 9)
    image = read_image(path, 17)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, pixels)


def test_box_is_cut_from_the_full_image(tmp_path):
    path, pixels = saved(tmp_path, 80, 60)
    np.testing.assert_array_equal(read_image(path, 80, (10, 20, 50, 45)), pixels[20:45, 10:50])


@pytest.mark.parametrize(("size", "shape"), [(40, (13, 20)), (80, (26, 40)), (200, (26, 40))])
def test_a_crop_shrinks_as_the_full_image_would(tmp_path, size, shape):
    path, _ = saved(tmp_path, 80, 60)
    assert read_image(path, size, (10, 20, 50, 46)).shape == (*shape, 3)


def test_box_is_rounded_and_clipped(tmp_path):
    path, pixels = saved(tmp_path, 80, 60)
    np.testing.assert_array_equal(read_image(path, 80, (-3, 50.6, 20.4, 99)), pixels[51:, :20])


@pytest.mark.parametrize("box", [(80, 0, 90, 10), (0, -9, 10, 0), (5, 5, 5.4, 20)])
def test_box_without_pixels_is_named(tmp_path, box):
    path, _ = saved(tmp_path, 80, 60)
    with pytest.raises(DataDamaged, match=r"holds no pixel of image .*image\.png"):
        read_image(path, 80, box)


def test_shrinking_is_antialiased(tmp_path):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, ::2] = 255
    Image.fromarray(pixels).save(tmp_path / "stripes.png")
    image = read_image(tmp_path / "stripes.png", 16)
    assert np.abs(image[4:-4, 4:-4].astype(int) - 127).max() < 12


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_other_modes_become_rgb(tmp_path, mode):
    name = "image.tif" if mode == "CMYK" else "image.png"
    Image.new(mode, (6, 4)).save(tmp_path / name)
    assert read_image(tmp_path / name, 6).shape == (4, 6, 3)


def test_orientation_of_exif_is_that_of_the_dataset(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    path, _ = saved(tmp_path, 32, 16, "image.jpg", exif=exif)
    assert read_image(path, 32).shape == (16, 32, 3)
    assert read_image(path, 32, None, "upright").shape == (32, 16, 3)
    assert read_image(path, 32, (0, 20, 16, 32), "upright").shape == (12, 16, 3)


@pytest.mark.parametrize("name", ["cut.jpg", "cut.png"])
@pytest.mark.parametrize("share", [0.5, 0.02])
def test_a_file_cut_off_is_named(tmp_path, name, share):
    path, _ = saved(tmp_path, 90, 70, name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataDamaged, match=name):
        read_image(path, 64)


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff"])
def test_no_image_is_named(tmp_path, content):
    (tmp_path / "wrong.jpg").write_bytes(content)
    with pytest.raises(DataDamaged, match=r"wrong\.jpg cannot be read"):
        read_image(tmp_path / "wrong.jpg", 64)


def test_png_with_flipped_bytes_is_named(tmp_path):
    path, _ = saved(tmp_path, 90, 70)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataDamaged, match=r"image\.png"):
        read_image(path, 64)


def test_no_file_is_named(tmp_path):
    with pytest.raises(DataMissing, match=r"gone\.jpg"):
        read_image(tmp_path / "gone.jpg", 64)
