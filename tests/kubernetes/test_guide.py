"""The guide for Kubernetes, held to what there is: its commands, its manifests, its names."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.documents import ROOT, parse
from tests.kubernetes.rights import GUIDE, allowed
from tests.kubernetes.specs import small_spec
from tests.place import Place
from warrener.brokers.rabbitmq.access import ROLES
from warrener.kubernetes.client.kinds import KINDS
from warrener.kubernetes.manifests.render import render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMANDS: Final = [words[: words.index("|")] if "|" in words else words for words in GUIDE.commands()]


def manifests() -> Iterator[dict[str, Any]]:
    for block in GUIDE.blocks("yaml"):
        yield from yaml.safe_load_all(block)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_exist(words: list[str]) -> None:
    parse(words)


def test_commands_were_found() -> None:
    lines = [line for line in GUIDE.text.splitlines() if line.startswith("warrener ")]
    assert len(COMMANDS) == len(lines) > 20


def test_every_verb_is_there() -> None:
    verbs = {words[1] for words in COMMANDS if words[0] == "k8s"}
    assert verbs == {"up", "submit", "status", "logs", "scale", "cancel", "resume", "down", "render"}


def test_parts_render_as_it_says(tmp_path: Path) -> None:
    place = Place(tmp_path)
    shutil.copytree(ROOT / "examples" / "kubernetes", place.path, dirs_exist_ok=True)
    names: set[str] = set()
    for words in (words for words in COMMANDS if words[:2] == ["k8s", "render"]):
        done = place.warrener(*words)
        assert done.returncode == 0, done.stderr
        text = (place.path / words[words.index("-o") + 1]).read_text() if "-o" in words else done.stdout
        names |= {
            f"{found['kind'].lower()}/{found['metadata']['name']}" for found in yaml.safe_load_all(text)
        }

    spoken_of = set(re.findall(r"\b((?:job|statefulset)/[\w-]+)", GUIDE.text))
    assert len(spoken_of) == 2
    assert spoken_of <= names
    assert {f"secret/primes-{part}" for part in ROLES} <= names


def test_the_role_is_for_every_kind_that_is_handled() -> None:
    by_kubectl, role = (found for found in manifests() if found.get("kind") == "Role")
    rights: dict[tuple[str, str], set[str]] = defaultdict(set)
    for group, resource, verb in allowed(role):
        rights[group, resource].add(verb)

    kinds = {(group, plural) for group, _, plural in KINDS.values()}
    assert kinds - rights.keys() == {("", "namespaces")}
    assert rights.keys() - kinds == {("", "pods/log"), ("", "pods/portforward")}
    made = {found["kind"] for parts in (["broker"], ["workers"]) for found in render(small_spec(), parts)}
    for kind in made:
        group, _, plural = KINDS[kind]
        assert {"create", "patch", "list", "delete"} <= rights[group, plural]
        # kubectl reads what it applies
        assert {(group, plural, verb) for verb in ("get", "create", "patch")} <= allowed(by_kubectl)


def test_the_patch_fits() -> None:
    (patch,) = (found for found in manifests() if "kind" not in found)

    *_, job = render(small_spec(patch=patch), ["workers"])

    spec = job["spec"]["template"]["spec"]
    assert spec["priorityClassName"] == "low"
    assert {"name": "LEVEL", "value": "debug"} in spec["containers"][0]["env"]
    assert {"name": "scratch", "mountPath": "/scratch"} in spec["containers"][0]["volumeMounts"]


def test_users_are_those_that_there_are() -> None:
    section = GUIDE.text.partition("## Least privilege")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == [
        "producer",
        "worker",
        "collector",
        "operator",
        "watcher",
        "setup",
        "admin",
    ]
