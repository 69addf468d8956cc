from __future__ import annotations

import pytest

from harness.cli.display import print_plan
from harness.data.folders import data_folders
from harness.runs.plan import make_plan

SPEC = {
    "name": "a",
    "task": "retrieval",
    "datasets": ["toy-images"],
    "methods": {"backbone": "colour", "pooling": ["mac", {"gem": {"p": [2, 3, 4]}}], "whitening": ["none", "pca"]},
}


def plan_of(toy, **changes):
    return make_plan({**SPEC, **changes}, data_folders(), plugins=(toy,))


def test_lists_are_swept_and_alternatives_multiplied(toy):
    plan = plan_of(toy)
    assert len(plan.runs) == 8
    assert [run.methods["pooling"].method.p for run in plan.runs[2::2]] == [2, 3, 4]
    assert sum("whitening" in run.methods for run in plan.runs) == 4


def test_a_list_of_combinations_is_their_union(toy):
    both = [{"backbone": "colour", "pooling": "mac"}, {"backbone": "colour", "pooling": ["gem", "mac"]}]
    assert [run.methods["pooling"].id.name for run in plan_of(toy, methods=both).runs] == ["mac", "gem"]


def test_ids_depend_on_what_decides_the_result_and_on_nothing_else(toy, tmp_path):
    base = [run.id for run in plan_of(toy).runs]
    assert len(set(base)) == 8
    assert [run.id for run in plan_of(toy, name="b", description="other words").runs] == base
    assert not set(base) & {run.id for run in plan_of(toy, seeds=[1]).runs}
    assert not set(base) & {run.id for run in plan_of(toy, protocol={"image_size": 33}).runs}
    assert not set(base) & {run.id for run in plan_of(toy, datasets=[{"toy-images": {"count": 16}}]).runs}
    # Written out or left to the default, a parameter is the same.
    written = {"backbone": "colour", "pooling": {"gem": {"p": 3.0}}}
    left = {"backbone": "colour", "pooling": "gem"}
    assert plan_of(toy, methods=written).runs[0].id == plan_of(toy, methods=left).runs[0].id


def test_a_plugin_that_moves_keeps_its_ids_and_one_that_changes_does_not(toy, tmp_path):
    methods = {"backbone": "colour", "pooling": "broken"}
    text = open(toy).read()
    moved, changed = tmp_path / "elsewhere.py", tmp_path / "toy.py"
    moved.write_text("# a comment\n" + text)
    changed.write_text(text.replace("this pooling is broken", "this pooling is very broken"))

    def run_id(file):
        run = make_plan({**SPEC, "methods": methods}, data_folders(), plugins=(str(file),)).runs[0]
        return run.methods["pooling"].id.digest

    assert run_id(toy) == run_id(moved)
    assert run_id(toy) != run_id(changed)


def test_active_learning_defaults(toy):
    methods = {"learning": "supervised", "acquisition": "first"}
    plan = plan_of(toy, task="active-learning", datasets="toy-classes", methods=methods)
    assert [run.seed for run in plan.runs] == [0, 1, 2, 3, 4, 5]
    assert plan.runs[0].methods["network"].id.name == "small-cnn"


@pytest.mark.parametrize("way", ["option", "spec", "both"])
def test_plugins_of_the_spec_are_relative_to_it(tmp_path, toy, way):
    (tmp_path / "own.py").write_text(open(toy).read())
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "name: a\ntask: retrieval\ndatasets: toy-images\nmethods: {backbone: colour, pooling: mac}\n"
        + ("" if way == "option" else "plugins: [own.py]\n")
    )
    plugins = () if way == "spec" else (str(tmp_path / "own.py"),)
    assert len(make_plan(spec, data_folders(), plugins=plugins).runs) == 1


def test_protocol_options_are_swept_and_named(toy):
    plan = plan_of(toy, protocol={"image_size": [32, 64], "scales": [[1.0], [1.0, 0.5]], "depth": 10})
    assert len(plan.runs) == 32
    assert len({run.id for run in plan.runs}) == 32
    settings = list(dict.fromkeys(run.setting for run in plan.runs))
    assert settings[0] == "image_size=32 scales=1.0"
    assert settings[-1] == "image_size=64 scales=1.0/0.5"
    assert "image_size=64" in plan.runs[-1].label
    assert plan.runs[-1].protocol.scales == (1.0, 0.5)
    # A list where the option is a list is its value, not a sweep.
    assert {run.setting for run in plan_of(toy, protocol={"scales": [1.0, 0.5]}).runs} == {""}


def test_a_setting_of_a_sweep_is_the_run_of_that_setting_alone(toy):
    swept = plan_of(toy, protocol={"image_size": [32, 64]}).runs
    alone = plan_of(toy, protocol={"image_size": 64}).runs
    assert [run.id for run in swept[8:]] == [run.id for run in alone]


def test_lines_of_runs_name_what_varies_and_nothing_else(toy, capsys):
    methods = {"backbone": "colour", "pooling": {"gem": {"p": [2, 3]}}, "whitening": {"pca": {"shrink": 0.2}}}
    datasets = [{"toy-images": {"count": count}} for count in (12, 16)]
    labels = [run.label for run in plan_of(toy, methods=methods, datasets=datasets).runs]
    assert labels == [
        f"toy-images count={count} · colour · gem p={p} · pca · seed 0" for count in (12, 16) for p in (2, 3)
    ]
    assert len({run.label for run in plan_of(toy).runs}) == 8
    print_plan(plan_of(toy), set())
    assert "· colour · gem p=4 · pca · seed 0" in capsys.readouterr().out
    twice = [{"backbone": "colour", "pooling": "mac"}] * 2
    assert [run.label for run in plan_of(toy, methods=twice).runs] == ["toy-images · colour · mac · seed 0"]


def test_a_plan_knows_what_the_catalogue_says_and_what_is_not_as_it_says(toy, tmp_path):
    catalogue = tmp_path / "sets.yaml"
    catalogue.write_text(
        "mine: {loader: toy-images, task: retrieval, parameters: {count: 8}, description: a, protocol: a, source: a,"
        " licence: a, counts: {images: 8, queries: 4}}\n"
    )

    def dataset(parameters):
        spec = {**SPEC, "datasets": {"mine": parameters}}
        return make_plan(spec, data_folders(), plugins=(toy,), catalogues=(catalogue,)).runs[0].dataset

    assert dataset(None).expected == {"images": 8, "queries": 4}
    assert dataset(None).non_default == ()
    assert dataset({"count": 8}).non_default == ()
    assert dataset({"count": 12}).non_default == ("count",)  # the default of the loader, but not what "mine" is
