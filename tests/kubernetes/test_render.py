"""`warrener k8s render` as a command."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.place import Place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "app.py").write_text("from warrener import App\n\napp = App()\n")
    (tmp_path / "requirements.txt").write_text("pillow\n")
    (tmp_path / "patch.yaml").write_text("spec: {priorityClassName: low}\n")
    (tmp_path / "bad.yaml").write_text("spec: {hostNetwork: true}\n")
    return Place(tmp_path)


def objects(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(text)}


def test_all_options_reach_the_manifests(place: Place) -> None:
    done = place.warrener(
        *("k8s", "render", "./app.py:app", "--queue", "images", "-n", "batch", "--parallelism", "20"),
        *("--requirements", "requirements.txt", "--patch", "patch.yaml", "--egress", "10.0.0.0/8"),
        *("--egress", "10.0.0.0/9", "--section", "workers", "--section", "check"),
    )

    assert done.returncode == 0, done.stderr
    found = objects(done.stdout)
    job = found["Job", "images-workers"]
    assert job["metadata"]["namespace"] == "batch"
    assert job["spec"]["parallelism"] == 20
    assert job["spec"]["template"]["spec"]["priorityClassName"] == "low"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"][:2] == ["work", "app:app"]
    dns, broker, networks = found["NetworkPolicy", "images-workers"]["spec"]["egress"]
    assert {port["port"] for port in broker["ports"]} == {5672, 15672}  # a worker waits for an answer of both
    assert {port["port"] for port in dns["ports"]} == {53, 5353}  # the latter is OpenShift's
    assert len(networks["to"]) == 2
    (code,) = [name for kind, name in found if kind == "ConfigMap"]
    assert found["ConfigMap", code]["data"] == {"requirements.txt": "pillow\n"}
    assert {kind for kind, _ in found} == {"ConfigMap", "Job", "NetworkPolicy"}


def test_worker_runs_what_it_would_here(place: Place) -> None:
    (place.path / "resize.sh").write_text("#!/bin/sh\n")
    words = ["k8s", "render", "--section", "workers", "--max-memory", "100"]
    command = "./resize.sh {data.file} | grep $(hostname)"
    for given, wanted in (
        (
            ["--exec", command, "--shell", "--timeout", "90.5", "--retries", "5"],
            ["--exec", "./resize.sh {data.file} | grep $$(hostname)", "--shell", "--timeout", "90.5", "--retries", "5"],
        ),
        (["app.py", "--spawn", "--threads", "4", "--concurrency", "8"], ["app", "--spawn", "--threads", "4", "--concurrency", "8"]),
        ([], ["app"]),
    ):  # fmt: skip
        done = place.warrener(*words, *given)
        assert done.returncode == 0, done.stderr
        found = objects(done.stdout)
        (container,) = found["Job", "work-queue-workers"]["spec"]["template"]["spec"]["containers"]
        args = container["args"]
        assert args == ["work", *wanted, *args[1 + len(wanted) :]]
        assert args[-2:] == ["--max-memory", "100"]
        assert container.get("workingDir") == ("/etc/warrener/code/command" if "--exec" in given else None)
    for given, why in (
        (["app.py", "--exec", "true"], "give either an app or --exec CMD"),
        (["app.py", "--retries", "2"], "--timeout and --retries go with --exec"),
        (["--exec", "true", "--spawn"], "--spawn goes with an app"),
    ):
        done = place.warrener(*words, *given)
        assert done.returncode == 2
        assert why in done.stderr


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (
            [],
            [
                "ConfigMap",
                "ConfigMap",
                "Job",
                "NetworkPolicy",
                "NetworkPolicy",
                "Service",
                "Service",
                "StatefulSet",
            ],
        ),
        (
            ["--rabbitmq", "operator"],
            [
                "ConfigMap",
                "Job",
                "Job",
                "NetworkPolicy",
                "NetworkPolicy",
                "PodDisruptionBudget",
                "RabbitmqCluster",
            ],
        ),
        (
            ["--rabbitmq", "existing", "--broker-secret", "mq", "--broker-address", "amqp://mq"],
            ["ConfigMap", "Job", "Job", "NetworkPolicy"],
        ),
    ],
)
def test_usual_parts(place: Place, words: list[str], kinds: list[str]) -> None:
    done = place.warrener("k8s", "render", *words)
    assert done.returncode == 0, done.stderr
    assert sorted(kind for kind, _ in objects(done.stdout)) == kinds
    assert done.stdout.startswith(
        "# Made by `warrener k8s render` for the queue 'work-queue'.\n# No password is in here."
    )


def test_secrets_go_to_a_file_that_nobody_else_reads(place: Place) -> None:
    file = place.path / "secrets.yaml"
    file.touch(0o644)

    done = place.warrener("k8s", "render", "--section", "secrets", "-o", "secrets.yaml")

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(objects(file.read_text())) == 8


def test_secrets_go_to_a_pipe_but_not_to_a_terminal(place: Place) -> None:
    words = ["k8s", "render", "--section", "secrets"]
    assert len(objects(place.warrener(*words).stdout)) == 8

    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "warrener", *words],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)
    os.close(ours)

    assert done.returncode == 2
    assert "--section secrets writes passwords: use -o FILE" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere.py"], "app 'nowhere.py' does not exist"),
        (["--section", "all"], "there is no section 'all'"),
        (["--memory", "lots"], "--memory 'lots' is not a quantity"),
        (["--requirements", "nowhere.txt"], "--requirements nowhere.txt cannot be read: No such file"),
        (["--patch", "nowhere.yaml"], "--patch nowhere.yaml cannot be read"),
        (["--patch", "bad.yaml"], "Job work-queue-workers: spec.template.spec.hostNetwork: must not be set"),
        (["-o", "no/such/file.yaml"], "no/such/file.yaml cannot be written"),
        (["--rabbitmq", "existing"], "--broker-secret None names no Secret"),
        (["--queue", "a b"], "queue name 'a b' is not allowed"),
    ],
)
def test_mistakes(place: Place, words: list[str], sentence: str) -> None:
    done = place.warrener("k8s", "render", *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_that_makes_the_secrets_stands_in_the_manifests(place: Place, tmp_path: Path) -> None:
    done = place.warrener(
        "k8s", "render", "--queue", "images", "--namespace", "two-words", "--memory", "1Gi", "-o", "it's.yaml"
    )

    assert "apply it with: kubectl apply --server-side -f 'it'\"'\"'s.yaml'" in done.stderr
    head = (tmp_path / "it's.yaml").read_text()
    (line,) = [line for line in head.splitlines() if " --section secrets " in line]
    command, _, rest = line.lstrip("# ").partition(" | ")
    assert rest == "kubectl apply --server-side -f -"
    made = list(yaml.safe_load_all(place.warrener(*shlex.split(command)[1:]).stdout))
    assert {found["kind"] for found in made} == {"Secret"}
    assert made[0]["metadata"]["namespace"] == "two-words"
    assert made[0]["metadata"]["name"] == "images-setup"
