from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core.errors import DataDamaged
from harness.data.instances import checked_instances, instances_json

PATH = Path("truth.json")


def truth(*groups):
    queries = [{"image": "q.jpg", "easy": ["a.jpg"], **({} if g is None else {"group": g})} for g in groups]
    return {"imlist": ["a.jpg", "b.jpg"], "queries": queries}


def test_a_query_may_say_what_it_shows():
    read = checked_instances(truth("door", None, 3), PATH)
    assert read.groups == ("door", None, 3)
    assert checked_instances(truth(None, None), PATH).groups is None
    assert checked_instances(json.loads(instances_json(read)), PATH) == read


@pytest.mark.parametrize("group", [True, 1.5, ["door"]])
def test_a_group_that_is_no_name_is_refused(group):
    with pytest.raises(DataDamaged, match="is no name and no number"):
        checked_instances(truth(group), PATH)
