"""Files that cannot be read as images: every reason is named with its file."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from harness.data.decode import undecodable


def encoded(kind, size=(40, 30)):
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


def huge_png():
    """A header of 60,000 x 60,000 pixels and no pixel behind it."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


CASES = {
    "good.jpg": (encoded("JPEG"), ""),
    "good.png": (encoded("PNG"), ""),
    "good.webp": (encoded("WEBP"), ""),
    "good.bmp": (encoded("BMP"), ""),
    "other_suffix.jpg": (encoded("PNG"), ""),
    "cut.jpg": (encoded("JPEG")[:-300], "truncated"),
    "cut.png": (encoded("PNG")[:-300], "cannot be read"),
    "header.jpg": (b"\x00\x00" + encoded("JPEG")[2:], "it is not an image"),
    "html.jpg": (b"<html>302 Found</html>", "its first bytes are b'<html>302 Found<'"),
    "empty.jpg": (b"", "it is not an image"),
    "bomb.png": (huge_png(), "decompression bomb"),
    "script.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is not an image"),
}


@pytest.mark.parametrize("name", CASES)
def test_one_file(tmp_path, name):
    content, words = CASES[name]
    (tmp_path / name).write_bytes(content)
    problems = undecodable([tmp_path / name])
    assert len(problems) == bool(words)
    assert all(words in problem and str(tmp_path / name) in problem for problem in problems)


def test_all_files_in_order_with_progress(tmp_path):
    updates = []

    class Seen:
        def update(self, label, done, total):
            updates.append((done, total))

    for name, (content, _) in CASES.items():
        (tmp_path / name).write_bytes(content)
    problems = undecodable([*(tmp_path / name for name in CASES), tmp_path / "gone.jpg"], Seen())
    assert [problem.split()[1] for problem in problems] == [
        *(str(tmp_path / name) for name, (_, words) in CASES.items() if words),
        str(tmp_path / "gone.jpg"),
    ]
    assert updates[-1] == (13, 13)
