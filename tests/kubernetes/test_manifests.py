"""Every manifest: as kept, valid by Kubernetes' schemas, and free of what only a cluster would find."""

from __future__ import annotations

import base64
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.kubernetes.golden import PLACE, rendered
from tests.kubernetes.specs import PASSWORDS, SPECS, small_spec
from warrener.errors import UsageError
from warrener.kubernetes.lint import check
from warrener.kubernetes.manifests.render import SECTIONS, render
from warrener.kubernetes.manifests.text import to_yaml

VERSION = "1.36"
# Kinds of others, whose schemas are not Kubernetes' own.
# What all queues of a namespace share, by its component: the instance.
SHARED = {"broker": "warrener-rabbitmq", "monitoring": "warrener"}
FOREIGN = {"PodMonitor", "PrometheusRule", "RabbitmqCluster", "ScaledJob", "TriggerAuthentication"}


def objects(name: str) -> list[dict[str, Any]]:
    wanted, parts = SPECS[name]
    return render(wanted, parts, PASSWORDS)


def one(name: str, kind: str, object_name: str = "") -> dict[str, Any]:
    found_of_kind = [found for found in objects(name) if found["kind"] == kind]
    (found,) = [found for found in found_of_kind if object_name in ("", found["metadata"]["name"])]
    return found


@pytest.mark.parametrize("name", SPECS)
def test_manifests_are_as_kept(name: str) -> None:
    assert rendered(name) == (PLACE / f"{name}.yaml").read_text(), "see tests/kubernetes/golden.py"


def test_no_file_is_left_over() -> None:
    assert {path.stem for path in PLACE.glob("*.yaml")} == set(SPECS)


@pytest.mark.parametrize("name", SPECS)
def test_manifests_are_valid(name: str) -> None:
    found = list(yaml.safe_load_all((PLACE / f"{name}.yaml").read_text()))
    assert found == objects(name)
    assert check(found) == []
    for each in found:
        if each["kind"] not in FOREIGN:
            kubernetes_validate.validate(each, VERSION, strict=True)


def test_jobs_of_keda_are_valid_jobs() -> None:
    spec = one("keda", "ScaledJob")["spec"]["jobTargetRef"]
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "images"}, "spec": spec}
    kubernetes_validate.validate(job, VERSION, strict=True)


@pytest.mark.parametrize("name", SPECS)
def test_all_is_found_by_its_labels(name: str) -> None:
    for found in objects(name):
        labels = found["metadata"]["labels"]
        shared = SHARED.get(labels["app.kubernetes.io/component"])
        base = SPECS[name][0].names.base
        assert labels["app.kubernetes.io/part-of"] == "warrener"
        assert labels["app.kubernetes.io/managed-by"] == "warrener"
        assert labels["app.kubernetes.io/instance"] == (shared or base)
        assert found["metadata"]["namespace"] == "batch"
        if not shared:
            assert found["metadata"]["annotations"]["warrener/queue"] == SPECS[name][0].queue
        if found["kind"] == "Job":
            assert found["spec"]["template"]["metadata"]["labels"].items() >= labels.items() - {
                ("kueue.x-k8s.io/queue-name", "team")
            }


def test_worker_job() -> None:
    spec = objects("workers-code")[-1]["spec"]
    pod = spec["template"]["spec"]
    rules = spec["podFailurePolicy"]["rules"]

    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 20, 20)
    assert spec["backoffLimitPerIndex"] > 0
    assert spec["maxFailedIndexes"] <= spec["completions"]
    assert [rule["action"] for rule in rules] == ["Ignore", "Ignore", "FailJob", "FailJob"]
    assert rules[0]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert [rule["onExitCodes"]["values"] for rule in rules[1:]] == [[75], [78], [0]]
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] == 40
    assert spec["activeDeadlineSeconds"] == spec["ttlSecondsAfterFinished"] == 86400
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False


def test_broker() -> None:
    pod = one("statefulset", "StatefulSet")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    settings = one("statefulset", "ConfigMap", "warrener-rabbitmq-config")["data"]["10-warrener.conf"]

    assert "env" not in container  # the image ends when it finds a *_FILE variable
    assert "livenessProbe" not in container
    assert container["image"] == "rabbitmq:4.3.5-management"
    assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]
    assert "total_memory_available_override_value = 1717986918\n" in settings
    assert "loopback_users.guest = true\n" in settings
    assert "guest" not in {user["name"] for user in definitions()["users"]}


def definitions() -> dict[str, Any]:
    (found,) = [each for each in objects("secrets") if each["metadata"]["name"].endswith("-definitions")]
    read: dict[str, Any] = yaml.safe_load(base64.b64decode(found["data"]["definitions.json"]))
    return read


def test_tls_leaves_nothing_unencrypted_on_the_network() -> None:
    settings = one("statefulset-tls", "ConfigMap", "warrener-rabbitmq-config")["data"]["10-warrener.conf"]
    ports = {
        port["port"]
        for found in objects("statefulset-tls")
        if found["kind"] == "Service"
        for port in found["spec"]["ports"]
    }

    assert "listeners.tcp.local = 127.0.0.1:5672\n" in settings
    assert "management.tcp.ip = 127.0.0.1\n" in settings
    assert ports == {5671, 15671, 4369}


def test_scaled_job() -> None:
    spec = one("keda", "ScaledJob")["spec"]
    (trigger,) = spec["triggers"]

    assert trigger["metadata"] | {"value": ""} == {
        "protocol": "http",
        "mode": "QueueLength",
        "value": "",
        "queueName": "images",
        "vhostName": "warrener",
    }
    assert "metricType" not in trigger
    assert spec["rollout"] == {"strategy": "gradual"}
    assert "scalingStrategy" not in spec
    assert spec["jobTargetRef"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("name", SPECS)
def test_passwords_are_in_secrets_alone(name: str) -> None:
    wanted, parts = SPECS[name]
    text = to_yaml(render(wanted, [section for section in SECTIONS if section != "secrets"], PASSWORDS))
    for password in PASSWORDS.values():
        assert password not in text
        assert base64.b64encode(password.encode()).decode() not in text
    if "secrets" in parts:
        kinds = {found["kind"] for found in objects(name)}
        assert kinds == {"Secret"}


def test_each_rendering_makes_new_passwords() -> None:
    first, second = (render(small_spec(), ["secrets"]) for _ in range(2))
    for one_, other in zip(first, second, strict=True):
        assert one_["metadata"] == other["metadata"]
        assert one_["data"] != other["data"]


def test_unknown_part() -> None:
    with pytest.raises(UsageError, match="there is no section 'all': use secrets, broker"):
        render(small_spec(), ["all"])


def test_a_patch_that_breaks_the_job_is_refused() -> None:
    broken = {"spec": {"restartPolicy": "Always", "containers": [{"name": "extra", "image": "x"}]}}
    with pytest.raises(UsageError) as refused:
        render(small_spec(patch=broken))
    assert str(refused.value).startswith("Kubernetes would not run this: ")
    assert str(refused.value).isprintable()  # one line, as a verb prints it
    assert "restartPolicy: must be Never or OnFailure, not Always; " in str(refused.value)
    assert "containers[extra].securityContext.capabilities.drop" in str(refused.value)
