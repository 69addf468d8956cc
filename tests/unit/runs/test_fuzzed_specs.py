"""Whatever stands in a spec file: mistakes with exit code 2, never a traceback."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.errors import BAD_DATA, BROKEN_PLUGIN, USER_MISTAKE

GOOD = """\
name: fuzz
task: retrieval
datasets: synthetic-instances
methods:
  backbone: tiny
  pooling: [mac, {gem: {p: [2, 3.0]}}]
  whitening: [none, pca]
seeds: [0, 1]
protocol: {image_size: 64, scales: [1]}
plugins: []
"""
KEYS = [
    "name",
    "task",
    "datasets",
    "methods",
    "seeds",
    "protocol",
    "protocols",
    "plugins",
    "description",
    "x",
    "",
    1,
    None,
]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(
        ["retrieval", "active-learning", "none", "gem", "tiny", "random", "digits", "a+b", "../..", "\x00", "*"]
    ),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["backbone", "pooling", "acquisition", "learning", "gem", "p", "tiny"]), scalars),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)
SHORT = "name: x\ntask: retrieval\ndatasets: synthetic-instances\nmethods: {backbone: tiny, pooling: mac}\n"
MANGLED = [
    "",
    "null",
    "[]",
    "42",
    "name",
    "a: b: c",
    "\t- x",
    "{",
    "- [",
    "&a [*a]",
    "a: &a {b: *a}",
    "name: &x [*x, *x]\ntask: retrieval",
    "!!python/object/apply:os.system ['true']",
    "name: !!binary aGFsbG8=\ntask: retrieval",
    "name: 2001-01-01\ntask: retrieval\ndatasets: 2001-01-01 10:00:00\nmethods: 12:30:45",
    "? {a: b}\n: c",
    "task: retrieval\n<<: {name: x}",
    "<<: 3",
    "task: retrieval\ntask: retrieval",
    "name: x\ntask: [retrieval]\n",
    "name: x\ntask: {retrieval: 1}\n",
    "name: x\ntask: retrieval\ndatasets: {}\nmethods: {}",
    "name: x\ntask: retrieval\ndatasets: {synthetic-instances: {seed: .nan}}\nmethods: {backbone: tiny, pooling: mac}",
    "name: x\ntask: retrieval\ndatasets: synthetic-instances\nmethods: {backbone: tiny, pooling: {gem: {p: .inf}}}",
    "name: x\ntask: retrieval\ndatasets: synthetic-instances\nmethods: {backbone: {}, pooling: {gem: [1]}}",
    "name: x\ntask: retrieval\ndatasets: synthetic-instances\nmethods: [[], 1, null]",
    "name: x\ntask: active-learning\ndatasets: digits\nmethods: {learning: '+', acquisition: 'random+'}",
    "name: x\ntask: active-learning\ndatasets: digits\nmethods: {learning: a+b+c, acquisition: +}",
    SHORT + "seeds: 99999999999999999999999999",
    SHORT + "protocol: [1]",
    SHORT + "plugins: [/, '', ..]",
    "x: " + "[" * 300 + "]" * 300,
    "x: " + "{a: " * 200 + "}" * 200,
    "\ufeffname: x",
    "name: x\r\ntask: retrieval\rdatasets: y",
    "%YAML 9.9\n---\nname: x",
    "--- 1\n--- 2",
    "name: '\\ud800'\n",
    'name: "\\x00"\ntask: "retrieval"',
]


def outcome(arguments: list[str]) -> tuple[int, str]:
    """Exit code and standard error of a command, without a new process."""
    from harness.cli import main

    error = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["harness", *arguments])
        with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
            try:
                main()
            except SystemExit as stop:
                return int(stop.code or 0), error.getvalue()
    return 0, error.getvalue()


def check(path: Path, content: bytes, codes: set[int]) -> None:
    path.write_bytes(content)
    code, error = outcome(["run", str(path), "--dry-run"])
    assert code in codes, (code, error)
    assert "Traceback" not in error
    assert (error != "") == (code != 0)


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "spec.yaml"


@pytest.mark.parametrize("position", range(len(MANGLED)))
def test_a_mangled_spec_is_the_users_mistake(path, position):
    check(path, MANGLED[position].encode("utf-8", "surrogatepass"), {USER_MISTAKE, BROKEN_PLUGIN})


FUZZ = settings(max_examples=30, suppress_health_check=list(HealthCheck), derandomize=True, database=None)


@FUZZ
@given(content=st.dictionaries(st.sampled_from(KEYS), values, max_size=6))
def test_any_plain_data_is_planned_or_refused(content, tmp_path_factory):
    from ruamel.yaml import YAML

    text = io.StringIO()
    given_spec = {"name": "fuzz", "task": "retrieval", **content}
    try:
        YAML(typ="safe", pure=True).dump(given_spec, text)
    except Exception:  # what YAML cannot write cannot stand in a file
        return
    check(tmp_path_factory.getbasetemp() / "any.yaml", text.getvalue().encode("utf-8", "surrogatepass"), {0, 2, 3, 4})


@FUZZ
@given(data=st.data())
def test_a_good_spec_with_bytes_changed_is_planned_or_refused(data, tmp_path_factory):
    content = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["flip", "drop", "insert", "cut"]))
        if kind == "flip":
            content[position] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "drop":
            del content[position]
        elif kind == "insert":
            content[position:position] = data.draw(st.binary(min_size=1, max_size=3))
        else:
            del content[max(position, 1) :]
    check(tmp_path_factory.getbasetemp() / "bytes.yaml", bytes(content), {0, USER_MISTAKE, BROKEN_PLUGIN, BAD_DATA})


def test_a_spec_that_is_no_file(path):
    os.mkfifo(path.with_name("fifo"))
    for name in (".", "gone/spec.yaml"):
        code, error = outcome(["run", name, "--dry-run"])
        assert code == USER_MISTAKE
        assert error
