"""What a verb is not told again is read from the cluster, and a difference is told before it is made."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.kubernetes.brokers import POD, a_spec, broker_pod, keep_secret, quiet
from tests.kubernetes.double import Double
from tests.kubernetes.specs import small_spec
from warrener.errors import BrokerUnreachable, ClusterError, ObjectMissing, UsageError
from warrener.kubernetes.manifests.names import BROKER
from warrener.kubernetes.manifests.record import RECORD
from warrener.kubernetes.operations import worker_job
from warrener.kubernetes.operations.credentials import give_passwords
from warrener.kubernetes.operations.install import install
from warrener.kubernetes.operations.installed import agreed, as_installed, installed
from warrener.kubernetes.operations.uninstall import loses_data, uninstall

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

IMAGE = "registry.example.com/rabbitmq:4.3.6"


def wanted(**named: Any) -> Spec:
    """What somebody asks for who types these options."""
    return small_spec(**named, named=frozenset(named) - {"queue"})


@pytest.fixture
async def cluster() -> Double:
    """A namespace whose broker was made with TLS and with an image of its own, for the queue `images`."""
    double = Double()
    await give_passwords(double, small_spec())
    await apply(double, small_spec(tls_secret="mq-tls", rabbitmq_image=IMAGE, storage="1Gi"))
    return double


async def apply(cluster: Double, spec: Spec) -> None:
    from warrener.kubernetes.manifests.render import render

    for manifest in render(spec, ["broker"]):
        await cluster.apply(manifest)


def secret(cluster: Double, name: str) -> dict[str, str]:
    data = cluster.objects["Secret", name]["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


async def test_what_another_queue_does_not_name_stays(cluster: Double) -> None:
    changes: list[str] = []

    spec = await agreed(cluster, wanted(queue="q3"), changes.append)

    assert (spec.tls_secret, spec.rabbitmq_image, spec.storage) == ("mq-tls", IMAGE, "1Gi")
    assert spec.broker.broker.startswith("amqps://")
    assert changes == []


@pytest.mark.parametrize("has_gone", [False, True])
async def test_what_a_broker_was_made_with_is_known_after_it_was_removed(
    cluster: Double, *, has_gone: bool
) -> None:
    if has_gone:
        await uninstall(cluster, purge=False)
        assert ("StatefulSet", BROKER) not in cluster.objects

    spec = await agreed(cluster, wanted(queue="q3"), quiet)

    assert (spec.tls_secret, spec.rabbitmq_image) == ("mq-tls", IMAGE)


async def test_a_difference_is_told_before_it_is_made(cluster: Double) -> None:
    changes: list[str] = []
    named = wanted(rabbitmq_image="rabbitmq:4.3.7-management", tls_secret=None, broker_memory="2048Mi")

    spec = await agreed(cluster, named, changes.append)

    assert changes == [
        "--tls-secret: mq-tls becomes none",
        f"--rabbitmq-image: {IMAGE} becomes rabbitmq:4.3.7-management",
    ]
    assert spec.tls_secret is None
    assert ("apply", "StatefulSet", BROKER) not in cluster.deeds


async def test_a_broker_of_another_kind_is_refused(cluster: Double) -> None:
    with pytest.raises(ClusterError, match=rf"has a broker already \(StatefulSet {BROKER}\).*--rabbitmq out"):
        await agreed(cluster, wanted(rabbitmq="operator"), quiet)
    with pytest.raises(
        UsageError, match=r"--rabbitmq operator is not what the broker .* --rabbitmq statefulset\): leave"
    ):
        await as_installed(cluster, wanted(rabbitmq="operator"))


async def test_workers_do_not_lose_their_broker(cluster: Double) -> None:
    await worker_job.start(cluster, small_spec(tls_secret="mq-tls"))

    with pytest.raises(ClusterError, match=r"Job images-workers would lose their broker \(--tls-secret"):
        await agreed(cluster, wanted(tls_secret="other"), quiet)

    await worker_job.cancel(cluster, "images")
    assert (await agreed(cluster, wanted(tls_secret="other"), quiet)).tls_secret == "other"


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        (
            {"storage": "2Gi"},
            r"--storage cannot be changed.*1Gi becomes 2Gi.*`kubectl patch pvc data-warrener-rabbitmq-0",
        ),
        (
            {"storage": "500Mi"},
            r"--storage cannot be changed.*`warrener k8s down --purge --namespace batch`$",
        ),
        ({"storage_class": "fast"}, r"--storage-class cannot be changed.*none becomes fast"),
    ],
)
async def test_volumes_keep_what_they_are(cluster: Double, named: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        await agreed(cluster, wanted(**named), quiet)


async def test_submit_takes_the_broker_that_is_there(cluster: Double) -> None:
    assert (await as_installed(cluster, wanted())).tls_secret == "mq-tls"
    assert (await as_installed(Double(), wanted())) == wanted()
    with pytest.raises(
        UsageError, match=r"--tls-secret other .*--tls-secret mq-tls.*`warrener k8s up --queue"
    ):
        await as_installed(cluster, wanted(tls_secret="other"))


async def test_broker_of_the_operator_says_what_it_is() -> None:
    cluster = Double()
    cluster.lacks.clear()
    await apply(cluster, small_spec(rabbitmq="operator", tls_secret="mq-tls", storage_class="fast"))
    cluster.objects.pop(("ConfigMap", RECORD))  # as of kubectl, before there were any

    found = await installed(cluster)

    assert found
    assert (found.kind, found.is_there) == ("operator", True)
    assert (found.options["tls_secret"], found.options["storage_class"]) == ("mq-tls", "fast")
    assert await loses_data(cluster)
    removed = await uninstall(cluster, purge=False)
    assert f"RabbitmqCluster {BROKER}" in removed.names
    assert removed.outcome.endswith("RabbitMQ's operator deletes the volumes, and with them all data")


async def test_secrets_follow_and_passwords_stay(broker_cluster: Double) -> None:
    one, other = a_spec(), a_spec()
    await install(broker_cluster, one, quiet)
    await install(broker_cluster, other, quiet)
    before = {name: secret(broker_cluster, name) for kind, name in broker_cluster.objects if kind == "Secret"}
    changed = small_spec(queue=one.queue, tls_secret="mq-tls", named=frozenset({"tls_secret"}))

    await install(broker_cluster, changed, quiet)

    for spec in (one, other):
        for role in ("producer", "worker", "setup", "watcher"):
            name = spec.names.secret(role)
            now = secret(broker_cluster, name)
            assert now["url"].startswith("amqps://")
            assert f"@{BROKER}.batch.svc:5671/" in now["url"]
            assert (now["username"], now["password"]) == (before[name]["username"], before[name]["password"])
        assert secret(broker_cluster, spec.names.secret("watcher"))["tls"] == "enable"
    without = small_spec(queue=one.queue, named=frozenset({"tls_secret"}))

    await install(broker_cluster, without, quiet)

    after = {name: secret(broker_cluster, name) for kind, name in broker_cluster.objects if kind == "Secret"}
    assert after == before


async def test_node_of_before_is_not_taken_for_the_new_one(broker_cluster: Double) -> None:
    spec = a_spec()
    await install(broker_cluster, spec, quiet)
    node = broker_cluster.objects["StatefulSet", BROKER]
    node["metadata"]["generation"] = 2
    node["status"] = {"observedGeneration": 1, "updateRevision": "old"}
    old = broker_cluster.objects["Pod", POD]
    old["metadata"]["labels"] = {**old["metadata"]["labels"], "controller-revision-hash": "old"}
    looks: list[str] = []

    def roll(text: str) -> None:
        looks.append(text)
        match len(looks):
            case 2:
                node["status"] = {"observedGeneration": 2, "updateRevision": "new"}
            case 4:
                new = broker_pod(broker_cluster)
                new["metadata"]["labels"] = {
                    **old["metadata"]["labels"],
                    "controller-revision-hash": "new",
                }

    await install(broker_cluster, spec, roll)

    assert looks == ["0 of 1 broker nodes ready"] * 4


EXISTING = {"rabbitmq": "existing", "broker_secret": "mq"}


async def an_existing(cluster: Double, server: Any, host: str = "") -> str:
    url = server.url
    where = host or f"{url.hostname}:{url.port}"
    keep_secret(cluster, "mq", url=f"amqp://{url.username}:{url.password}@{url.hostname}:{url.port}/")
    return f"amqp://{where}/warrener"


@pytest.mark.parametrize("typo", ["amqp://nosuchhost.invalid/warrener", "amqp://127.0.0.1:1/warrener"])
async def test_address_of_an_existing_broker_is_tried_before_anything_is_written(
    broker_cluster: Double, server: Any, typo: str
) -> None:
    await an_existing(broker_cluster, server)
    deeds = [*broker_cluster.deeds]

    with pytest.raises(BrokerUnreachable, match=rf"--broker-address {typo}: .*; nothing was changed"):
        await install(broker_cluster, a_spec(**EXISTING, broker_address=typo), quiet)

    assert [deed for deed in broker_cluster.deeds if deed not in deeds and deed[1] != "Namespace"] == []


async def test_an_administrator_whom_only_the_cluster_can_reach_is_told_before_anything_is_written() -> None:
    cluster = Double()
    keep_secret(cluster, "mq", url="amqp://admin:secret@mq.others.svc/")
    before = set(cluster.objects)
    elsewhere = "amqp://mq.others-too.svc/jobs"

    with pytest.raises(
        BrokerUnreachable, match=r"--broker-secret mq: .*; nothing was changed\. Only the cluster knows"
    ) as caught:
        await install(cluster, a_spec(**EXISTING, broker_address=elsewhere), quiet)

    assert set(cluster.objects) == before
    assert "secret@" not in str(caught.value)


async def test_secret_of_an_existing_broker_that_is_not_there() -> None:
    with pytest.raises(
        ObjectMissing,
        match=r"there is no Secret mq in namespace batch: make it with `kubectl create secret generic mq",
    ):
        await install(Double(), a_spec(**EXISTING, broker_address="amqp://mq.example.com/x"), quiet)


async def test_down_says_what_is_kept(cluster: Double) -> None:
    removed = await uninstall(cluster, purge=False)
    assert removed.outcome == "passwords are kept; there is no data"
    assert ("ConfigMap", RECORD) in cluster.objects

    removed = await uninstall(cluster, purge=True)
    assert removed.outcome == ""
    assert ("ConfigMap", RECORD) not in cluster.objects
    assert await installed(cluster) is None


async def test_workers_can_be_resumed_after_down_and_up(cluster: Double) -> None:
    from warrener.kubernetes.manifests.code import Code

    job = await worker_job.start(cluster, small_spec(code=Code(b"zip"), tls_secret="mq-tls"))

    await uninstall(cluster, purge=False)

    assert cluster.objects["Job", job]["spec"]["suspend"] is True
    assert any(kind == "ConfigMap" and "code" in name for kind, name in cluster.objects)
    assert await worker_job.resume(cluster, "images") == f"{job}-2"


async def test_namespace_that_is_not_there(cluster: Double) -> None:
    cluster.objects.pop(("Namespace", "batch"), None)

    with pytest.raises(ObjectMissing, match="there is no namespace batch: choose another one"):
        await uninstall(cluster, purge=False)
