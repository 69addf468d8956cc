"""A package that nothing here knows is installed into an environment of its own: found, listed, run, ranked."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from harness.scaffold import new_plugin


@dataclass(frozen=True)
class Environment:
    """A virtual environment on top of the one of the tests."""

    folder: Path

    @property
    def python(self) -> str:
        return str(next(self.folder.glob("bin/python*")))

    def install(self, package: Path) -> None:
        """As ``pip install`` does, with what is here in place of an index."""
        offline = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", *offline, str(package)]
        done = subprocess.run(pip, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def harness(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [self.python, "-m", "harness", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    found = Environment(folder)
    inside = [found.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(inside, capture_output=True, text=True, check=True).stdout.strip())
    # Torch and the rest weigh gigabytes: they are looked up where the tests have them, editable installs too.
    below = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (packages / "below.pth").write_text(below)
    return found


@pytest.fixture(scope="module")
def example(environment, tmp_path_factory):
    """The example, installed from a copy: a build leaves folders beside the source."""
    source = Path(__file__).parents[1] / "fixtures" / "example_package"
    copy = shutil.copytree(source, tmp_path_factory.mktemp("source") / "example")
    environment.install(copy)
    return copy


def test_the_example_is_as_it_was_written_for_version_1_of_the_plugin_api():
    """What follows shows that it still works, which it would not if it changed. A new version has a new example."""
    files = sorted((Path(__file__).parents[1] / "fixtures" / "example_package" / "src").rglob("*.py"))
    content = b"".join(path.read_bytes() for path in files)
    assert hashlib.sha256(content).hexdigest() == "55adc64e7554f61f585cfc8303f2c90bb7417f7b4ff83355d92f641a48f29fb5"


def test_it_is_found_and_listed_with_its_origin(environment, example, tmp_path):
    done = environment.harness("methods", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = {(method["kind"], method["name"]): method for method in json.loads(done.stdout)}
    assert found["pooling", "moments"] == {
        "kind": "pooling",
        "name": "moments",
        "summary": "Mean and standard deviation of each map (Stricker and Orengo 1995, of colours).",
        "plugin": "colour-moments",
        "version": "1.2.3",
        "source": "entry point colour-moments",
    }
    assert "[colour-moments]" in environment.harness("methods", "backbone", cwd=tmp_path).stdout
    assert "spread" in environment.harness("methods", "pooling", "moments", cwd=tmp_path).stdout


def test_it_passes_the_checks(environment, example, tmp_path):
    done = environment.harness("check", "colour-moments", "--no-cost", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'pooling "moments"' in done.stdout
    assert 'backbone "colour-grid"' in done.stdout


def test_it_is_run_and_ranked_beside_the_built_in_methods(environment, example):
    done = environment.harness("run", "spec.yaml", cwd=example)
    assert done.returncode == 0, done.stderr
    assert "0 failed" in done.stdout
    board = environment.harness("leaderboard", "spec.yaml", "--format", "json", cwd=example)
    assert board.returncode == 0, board.stderr
    (found,) = json.loads(board.stdout)["boards"]
    ranks = {(row["labels"]["backbone"], row["labels"]["pooling"]): row["rank"] for row in found["rows"]}
    assert set(ranks) == {(b, p) for b in ("colour-grid", "tiny") for p in ("gem", "moments")}
    assert all(isinstance(rank, int) for rank in ranks.values())
    assert any("colour-moments 1.2.3" in line for line in found["provenance"])


def test_a_broken_one_is_reported_and_the_rest_works(environment, example, tmp_path):
    source = Path(__file__).parents[1] / "fixtures" / "broken_package"
    environment.install(Path(shutil.copytree(source, tmp_path / "broken")))
    done = environment.harness("methods", "pooling", cwd=tmp_path)
    assert done.returncode == 0
    assert "moments" in done.stdout
    assert "gem" in done.stdout
    (line,) = done.stderr.splitlines()
    assert re.search(r"broken-example .*was left out: RuntimeError: no licence for this machine", line)
    again = environment.harness("run", "spec.yaml", "--dry-run", cwd=example)
    assert again.returncode == 0
    assert "broken-example" in again.stderr
    strict = environment.harness("methods", "--strict-plugins", cwd=tmp_path)
    assert strict.returncode == 3
    assert "no licence for this machine" in strict.stderr
    assert "Traceback" not in strict.stderr


@pytest.mark.slow
def test_a_new_package_installs_and_passes_its_own_tests(environment, tmp_path):
    from harness.scaffold import new_plugin

    new_plugin("pooling", "fresh-idea", package=True, folder=tmp_path)
    environment.install(tmp_path / "fresh-idea")
    done = subprocess.run(
        [environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        cwd=tmp_path / "fresh-idea",
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_steps_of_the_ci_of_a_new_package_find_what_is_wrong(environment, tmp_path):
    """What its workflow runs after installing it: the check, then its tests; both fail with a method that is wrong."""
    package = new_plugin("pooling", "fresh-idea", package=True, folder=tmp_path).files[0].parent
    while not (package / "pyproject.toml").is_file():
        package = package.parent
    workflow = yaml.safe_load((package / ".github" / "workflows" / "tests.yml").read_text())
    steps = [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step]
    assert steps == ["pip install -e '.[dev]'", "harness check fresh-idea", "pytest"]
    method = package / "src" / "fresh_idea" / "method.py"
    right = method.read_text()
    for text, codes in ((right, (0, 0)), (right.replace("return ", "return float('nan') * "), (3, 1))):
        method.write_text(text)
        environment.install(package)
        done = [
            subprocess.run([environment.python, "-m", *step.split()], capture_output=True, text=True, cwd=package)
            for step in steps[1:]
        ]
        assert tuple(one.returncode for one in done) == codes, [one.stdout + one.stderr for one in done]
