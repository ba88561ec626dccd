"""Wrong options give one sentence that names them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kubernetes.specs import small_spec
from warrener.errors import UsageError
from warrener.kubernetes.manifests.names import object_names
from warrener.kubernetes.quantities import quantity


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"queue": "a b"}, "queue name 'a b' is not allowed"),
        ({"queue": "_"}, "--queue '_' makes no name for Kubernetes objects: use 1 to 48 letters, digits"),
        ({"queue": "q" * 49}, "use 1 to 48 letters, digits"),
        ({"namespace": "Batch"}, "--namespace 'Batch' is not the name of a namespace"),
        ({"image": ""}, "--image '' is not an image"),
        (
            {"max_memory": 256},
            "--max-memory 256 (MiB) is never reached: a worker with --memory 256Mi is killed first",
        ),
        ({"parallelism": 0}, "--parallelism 0 is out of range: use 1 to 1000"),
        ({"parallelism": 1001}, "--parallelism 1001 is out of range"),
        ({"processes": 0}, "--processes 0 is out of range"),
        ({"grace": -1}, "--grace -1 is out of range"),
        ({"deadline": 0}, "--deadline 0 is out of range"),
        ({"ttl": -1}, "--ttl -1 is out of range"),
        ({"round": 100}, "--round 100 is out of range"),
        ({"memory": "12Gib"}, "--memory '12Gib' is not a quantity above 0: write it as 512Mi"),
        ({"cpu": "0"}, "--cpu '0' is not a quantity above 0"),
        ({"storage": "ten"}, "--storage 'ten' is not a quantity"),
        ({"broker_memory": "-1Gi"}, "--broker-memory '-1Gi' is not a quantity"),
        ({"rabbitmq": "helm"}, "--rabbitmq 'helm' is not known: use statefulset, operator or existing"),
        ({"rabbitmq_image": "rabbitmq"}, "--rabbitmq-image 'rabbitmq' is not pinned"),
        ({"rabbitmq_image": "rabbitmq:latest"}, "is not pinned"),
        ({"rabbitmq_image": "rabbitmq:4.3.5-management-alpine"}, "or an Alpine build"),
        ({"rabbitmq": "existing", "broker_address": "amqp://mq"}, "--broker-secret None names no Secret"),
        (
            {"rabbitmq": "existing", "broker_address": "amqp://mq", "broker_secret": "mq:uri"},
            "--broker-secret 'mq:uri'",
        ),
        (
            {"rabbitmq": "existing", "broker_secret": "mq"},
            "--broker-address says where the existing broker is",
        ),
        (
            {"rabbitmq": "existing", "broker_secret": "mq", "broker_address": "amqp://u:p@mq"},
            "without user and password",
        ),
        ({"broker_secret": "mq"}, "are for --rabbitmq existing"),
        ({"tls_secret": "TLS"}, "--tls-secret 'TLS' is not the name of a Kubernetes object"),
        ({"storage_class": "a_b"}, "--storage-class 'a_b'"),
        ({"kueue": "-"}, "--kueue '-'"),
        ({"egress": ("10.0.0.1/8",)}, "--egress '10.0.0.1/8' is not a network"),
        ({"autoscale": "hpa"}, "--autoscale 'hpa' is not known: use keda"),
        ({"autoscale": "keda", "kueue": "team"}, "--autoscale and --kueue exclude each other"),
    ],
)
def test_mistakes(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        small_spec(**changes)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("queue", ["a b", "a,b", "a=b", "a/b", "ä", "", "q" * 49, "a\n"])
def test_what_makes_no_name_is_refused_before_a_cluster_is_asked(queue: str) -> None:
    with pytest.raises(
        UsageError, match=r"makes no name for Kubernetes objects: use 1 to 48 letters, digits"
    ):
        object_names(queue)


@pytest.mark.parametrize(
    ("queue", "base"),
    [("images", "images"), ("Images_2.large", "images-2-large"), ("_x_", "x"), ("q" * 48, "q" * 48)],
)
def test_names(queue: str, base: str) -> None:
    names = small_spec(queue=queue).names
    assert names.base == base
    assert names.workers(1) == f"{base}-workers"
    assert names.workers(2) == f"{base}-workers-2"
    assert len(names.workers(99) + "-999") <= 63


@pytest.mark.parametrize(
    ("image", "version"),
    [("rabbitmq:4.3.5-management", (4, 3)), ("r:5000/mq:4.2.1", (4, 2)), (f"mq@sha256:{'0' * 64}", (4, 3))],
)
def test_version_of_the_broker(image: str, version: tuple[int, ...]) -> None:
    assert small_spec(rabbitmq_image=image).rabbitmq_version == version


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("250m", 0.25),
        ("1Ki", 1024),
        ("1.5Gi", 1.5 * 2**30),
        ("2e3", 2000),
        ("1k", 1000),
        (".5", 0.5),
    ],
)
def test_quantities(text: str, value: float) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "12Gib", "-1", "1mi", "1e", None])
def test_no_quantities(text: str | None) -> None:
    assert quantity(text) is None
