"""Commands in sentences: pasted into a shell, they say to the command what was meant."""

from __future__ import annotations

import shlex

from warrener.kubernetes.commands import Commands

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
