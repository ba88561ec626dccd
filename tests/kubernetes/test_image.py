"""The images' recipes, as far as they can be held to the manifests without building them."""

from __future__ import annotations

import json
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kubernetes.specs import small_spec
from warrener.kubernetes.manifests.pods import pod_template
from warrener.kubernetes.manifests.spec import DEFAULT_IMAGE
from warrener.sources import read

ROOT: Final = Path(__file__).parents[2]
EXAMPLE: Final = ROOT / "examples" / "kubernetes"
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions(path: Path) -> list[tuple[str, str]]:
    """A Dockerfile's instructions in order, each with its arguments."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = (line.partition(" ") for line in text.splitlines() if line.strip())
    return [(verb, " ".join(rest.split())) for verb, _, rest in lines]


def last(path: Path, verb: str) -> str:
    return [rest for found, rest in instructions(path) if found == verb][-1]


OURS: Final = ROOT / "Dockerfile"


def test_the_python_is_pinned_and_one_that_warrener_takes() -> None:
    found = re.fullmatch(r"PYTHON=python:(\d+)\.(\d+)\.\d+-slim", last(OURS, "ARG"))
    assert found
    least = re.fullmatch(r">=(\d+)\.(\d+)", PROJECT["requires-python"])
    assert least
    assert tuple(map(int, found.groups())) >= tuple(map(int, least.groups()))
    assert {rest.split()[0] for verb, rest in instructions(OURS) if verb == "FROM"} == {"${PYTHON}"}


@pytest.mark.parametrize("path", [OURS, EXAMPLE / "Dockerfile"])
def test_the_user_is_that_of_the_pods(path: Path) -> None:
    context = pod_template(small_spec(), "worker", [], ("secret", "url"))["spec"]["securityContext"]

    assert last(path, "USER") == f"{context['runAsUser']}:{context['runAsGroup']}"


def test_the_environment_and_the_command_are_those_of_the_pods() -> None:
    container = pod_template(small_spec(), "worker", [], ("secret", "url"))["spec"]["containers"][0]
    ours = dict(pair.split("=") for pair in last(OURS, "ENV").split())
    pods = {variable["name"]: variable["value"] for variable in container["env"]}

    assert ours.items() <= pods.items()
    assert json.loads(last(OURS, "ENTRYPOINT")) == container["command"]


@pytest.mark.parametrize("path", [OURS, EXAMPLE / "Dockerfile"])
def test_what_is_copied_exists(path: Path) -> None:
    sources = [
        source
        for verb, rest in instructions(path)
        if verb == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]

    assert sources
    assert [source for source in sources if not (path.parent / source).exists()] == []
    if path == OURS:  # and is not kept from the build
        kept = (ROOT / ".dockerignore").read_text().splitlines()
        assert [source for source in sources if f"!{source}" not in kept] == []
        needed = {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "src"}
        assert needed <= set(sources)


def test_it_has_what_metrics_and_the_page_need() -> None:
    assert '[kubernetes,metrics,web]"' in last(OURS, "RUN")


def test_the_example_builds_on_the_image_that_is_the_default() -> None:
    assert last(EXAMPLE / "Dockerfile", "FROM") == DEFAULT_IMAGE


def test_the_example_runs() -> None:
    primes = runpy.run_path(str(EXAMPLE / "app.py"))["primes"]
    lines = list(read(str(EXAMPLE / "tasks.jsonl"), task_type=""))

    assert len(lines) == 40
    assert {line.task.type for line in lines} == {"primes"}
    assert [primes(below) for below in (0, 1, 2, 3, 10, 100, 1_000_000)] == [0, 0, 0, 1, 4, 25, 78498]
