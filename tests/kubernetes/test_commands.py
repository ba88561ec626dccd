"""Commands in sentences: pasted into a shell, they say to the command what was meant."""

from __future__ import annotations

import asyncio
import shlex
import sys
from typing import TYPE_CHECKING

import pytest
from kmock import RawHandler

from tests.kubernetes.conftest import write_kubeconfig
from warrener.cli.k8s.submit import say_how_to_go_on
from warrener.kubernetes.commands import Commands

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = Commands("batch")
CHOSEN = Commands("batch", "arn:aws:eks:eu:1:cluster/two words", "/home/me/kube config")


def test_commands_lead_to_the_same_namespace() -> None:
    assert PLAIN.k8s("resume", "images") == "warrener k8s resume --queue images --namespace batch"
    assert PLAIN.on_queue("failures list", "images") == (
        "warrener failures list --broker k8s:batch --queue images"
    )
    assert PLAIN.kubectl("describe pod") == "kubectl describe pod --namespace batch"
    assert PLAIN.k8s("up") == "warrener k8s up --namespace batch"


def test_commands_lead_to_the_same_cluster() -> None:
    place = ["--context", "arn:aws:eks:eu:1:cluster/two words", "--kubeconfig", "/home/me/kube config"]

    assert shlex.split(CHOSEN.k8s("scale N", "images"))[-4:] == place
    assert shlex.split(CHOSEN.kubectl("describe pvc"))[-4:] == place
    assert shlex.split(CHOSEN.on_queue("results -o out.jsonl", "images")) == [
        "KUBECONFIG=/home/me/kube config",
        *("warrener", "results", "-o", "out.jsonl"),
        *("--broker", "k8s:arn:aws:eks:eu:1:cluster/two words/batch", "--queue", "images"),
    ]


@pytest.mark.kmock(cls=RawHandler)
async def test_cancel_says_how_to_resume_there(kmock: RawHandler, tmp_path: Path) -> None:
    job = {
        "metadata": {"name": "images-workers", "uid": "1", "annotations": {"warrener/queue": "images"}},
        "spec": {"parallelism": 1, "suspend": True},
    }
    jobs = "/apis/batch/v1/namespaces/batch/jobs"
    nothing = {"metadata": {"resourceVersion": "1"}, "items": []}
    kmock[f"get {jobs}"] << {**nothing, "items": [job]}
    kmock[f"patch {jobs}/images-workers"] << job
    kmock["get /apis/keda.sh/v1alpha1/namespaces/batch/scaledjobs"] << nothing
    kmock["get /api/v1/namespaces/batch/pods"] << nothing
    kmock["get /api/v1/namespaces/batch/events"] << nothing
    where = ["--namespace", "batch", "--context", "test"]
    where += ["--kubeconfig", write_kubeconfig(tmp_path / "my config", str(kmock.url))]

    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warrener", "k8s", "cancel", "--queue", "images", *where),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await running.communicate()

    assert running.returncode == 0, said
    hint = said.decode().splitlines()[-1].removeprefix("go on with:")
    assert shlex.split(hint) == ["warrener", "k8s", "resume", "--queue", "images", *where]


def test_submit_says_how_to_go_on_there(capsys: pytest.CaptureFixture[str]) -> None:
    say_how_to_go_on("detached", "images", ("my rows.txt", "csv"), CHOSEN)

    look, collect = capsys.readouterr().err.splitlines()
    assert look == f"detached. Look at them with:  {CHOSEN.k8s('status --watch', 'images')}"
    assert shlex.split(collect.removeprefix("and collect with:")) == [
        "KUBECONFIG=/home/me/kube config",
        *("warrener", "results", "-o", "my rows.txt", "--format", "csv"),
        *("--broker", "k8s:arn:aws:eks:eu:1:cluster/two words/batch", "--queue", "images"),
    ]
