"""A user's patch of the pod template."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from warrener.errors import UsageError
from warrener.kubernetes.manifests.patch import merged, read_patch

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"a": "1"}},
    "spec": {
        "restartPolicy": "Never",
        "tolerations": [{"key": "old"}],
        "containers": [
            {
                "name": "worker",
                "args": ["work", "app"],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
    },
}


def patched(**spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = merged(TEMPLATE, {"spec": spec})["spec"]
    return found


def test_mappings_are_merged() -> None:
    assert merged(TEMPLATE, {"metadata": {"labels": {"b": "2"}}})["metadata"] == {
        "labels": {"a": "1", "b": "2"}
    }


def test_null_deletes() -> None:
    assert "restartPolicy" not in patched(restartPolicy=None)
    assert patched(volumes=[{"name": "tmp", "emptyDir": {"sizeLimit": None}}])["volumes"] == [
        {"name": "tmp", "emptyDir": {}}
    ]


def test_items_with_a_key_are_merged_and_new_ones_appended() -> None:
    worker = patched(
        containers=[
            {
                "name": "worker",
                "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
                "volumeMounts": [{"mountPath": "/tmp", "readOnly": True}, {"mountPath": "/x", "name": "x"}],
            },
        ]
    )["containers"]
    assert worker == [
        {
            "name": "worker",
            "args": ["work", "app"],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
            "volumeMounts": [
                {"name": "tmp", "mountPath": "/tmp", "readOnly": True},
                {"mountPath": "/x", "name": "x"},
            ],
        }
    ]


def test_an_item_is_deleted_by_a_directive() -> None:
    worker = patched(containers=[{"name": "worker", "env": [{"name": "A", "$patch": "delete"}]}])[
        "containers"
    ][0]
    assert worker["env"] == [{"name": "B", "value": "2"}]


def test_other_lists_are_replaced() -> None:
    assert patched(tolerations=[{"key": "new"}])["tolerations"] == [{"key": "new"}]
    assert patched(containers=[{"name": "worker", "args": ["x"]}])["containers"][0]["args"] == ["x"]


def test_the_template_is_left_as_it_was() -> None:
    before = repr(TEMPLATE)
    patched(containers=[{"name": "worker", "env": [{"name": "A", "value": "9"}]}], restartPolicy=None)
    assert repr(TEMPLATE) == before


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"containers": "x"}, "--patch has 'x' at spec.containers: it must be a list"),
        ({"containers": [{"image": "x"}]}, "at spec.containers: each item must have a 'name'"),
        ({"containers": ["x"]}, "each item must have a 'name'"),
        (
            {"containers": [{"name": "worker", "env": {}}]},
            "at spec.containers[worker].env: it must be a list",
        ),
        ({"restartPolicy": []}, "at spec.restartPolicy: it must be a single value"),
        ({"volumes": [{"name": "tmp", "emptyDir": "x"}]}, "emptyDir: it must be a mapping"),
    ],
)
def test_values_of_another_kind_are_refused(spec: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        patched(**spec)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read: No such file or directory"),
        ("a: [", "is not YAML"),
        ("", "is not a pod template"),
        ("- a", "is not a pod template"),
        ("containers: []", "is not a pod template: write it with the keys 'metadata' and 'spec'"),
    ],
)
def test_files_that_are_no_patch(tmp_path: Path, text: str | None, sentence: str) -> None:
    file = tmp_path / "patch.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_patch(str(file))
    assert sentence in str(refused.value)


def test_a_patch_is_read(tmp_path: Path) -> None:
    (tmp_path / "patch.yaml").write_text("spec: {priorityClassName: low}\n")
    assert read_patch(str(tmp_path / "patch.yaml")) == {"spec": {"priorityClassName": "low"}}


def test_without_pyyaml_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UsageError, match=r"pip install 'warrener\[kubernetes\]'"):
        read_patch("patch.yaml")
