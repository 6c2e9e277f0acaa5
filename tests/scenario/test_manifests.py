import pytest

from netlab.scenario.manifests import load
from netlab.scenario.problems import BadFile


def test_all_files_are_read_before_mistakes_are_reported(tmp_path):
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text("kind: Pod\napiVersion: v1\n")
    with pytest.raises(BadFile) as caught:
        load([str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), str(tmp_path / "absent.yaml")])
    assert [problem.place.file.rpartition("/")[2] for problem in caught.value.problems] == [
        "a.yaml", "absent.yaml", "b.yaml"]


def test_lists_of_any_kind_are_taken_apart(tmp_path):
    (tmp_path / "a.yaml").write_text("""
apiVersion: v1
kind: ServiceList
items:
- {apiVersion: v1, kind: Service, metadata: {name: a}}
- {apiVersion: v1, kind: Service, metadata: {name: b}}
""")
    found = load([str(tmp_path)])
    assert [(item.manifest["metadata"]["name"], item.place.line) for item in found] == [("a", 5), ("b", 6)]


def test_a_directory_without_manifests_is_a_mistake(tmp_path):
    with pytest.raises(BadFile, match="has no file ending in"):
        load([str(tmp_path)])
