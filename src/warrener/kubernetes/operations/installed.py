"""The broker that a namespace has, read from the cluster: what one command was told, the next need not be told again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.errors import ClusterError, ObjectMissing, UsageError
from warrener.kubernetes.diagnosis.jobs import job_state
from warrener.kubernetes.manifests.names import BROKER, PART_OF, selector
from warrener.kubernetes.manifests.record import OPTIONS, RECORD
from warrener.kubernetes.manifests.statefulset import CONTAINER
from warrener.kubernetes.quantities import quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.objects import Object, Objects

_REACH: Final = (
    "rabbitmq",
    "broker_address",
    "tls_secret",
)  # where clients find the broker, and how they trust it
_OWNERS: Final = {"statefulset": f"StatefulSet {BROKER}", "operator": f"RabbitmqCluster {BROKER}"}


class Installed(msgspec.Struct, frozen=True):
    """The broker of a namespace.

    Args:
        options: What it was made with, as a spec names it.
        is_there: Whether it is there; otherwise `down` has removed it, and kept its data.
    """

    options: dict[str, str | None]
    is_there: bool

    @property
    def kind(self) -> str:
        """As `--rabbitmq` names it."""
        return self.options["rabbitmq"] or ""

    @property
    def title(self) -> str:
        """What it is, for a sentence."""
        return _OWNERS.get(self.kind) or f"the existing broker at {self.options['broker_address']}"


async def installed(cluster: Cluster) -> Installed | None:
    """The broker of a namespace; None if there is none and was none.

    What runs says itself how it is made; a record, which `up` leaves beside it, tells the rest.
    """
    sets, clusters, maps = await asyncio.gather(
        cluster.list("StatefulSet", PART_OF),
        known(cluster, "RabbitmqCluster"),
        cluster.list("ConfigMap", selector(BROKER, "broker")),
    )
    noted = _noted(maps)
    for found, read in ((_named(sets, BROKER), _of_node), (_named(clusters, BROKER), _of_cluster)):
        if found:
            options = dict.fromkeys(OPTIONS) | read(found)
            return Installed(options, is_there=True)
    return Installed(noted, is_there=noted["rabbitmq"] == "existing") if noted else None


async def known(cluster: Cluster, kind: str) -> Objects:
    """Our objects of a kind that this cluster may not have."""
    try:
        return await cluster.list(kind, PART_OF)
    except ObjectMissing:
        return []


async def as_installed(cluster: Cluster, spec: Spec) -> Spec:
    """What is wanted, on the broker that the namespace has.

    Raises:
        UsageError: The spec names another one.
    """
    found = await installed(cluster)
    if found is None:
        return spec
    for option in OPTIONS:
        if option in spec.named and not _is_same(getattr(spec, option), found.options[option]):
            has = found.options[option]
            raise UsageError(
                f"{_flag(option)} {getattr(spec, option)} is not what the broker of namespace {cluster.namespace} has "
                f"({found.title}, {f'{_flag(option)} {has}' if has else f'without {_flag(option)}'}): leave that out, or change "
                f"the broker with `{cluster.commands.k8s('up', spec.queue)}`"
            )
    return _with(spec, found, OPTIONS)


async def agreed(cluster: Cluster, spec: Spec, on_change: Callable[[str], None]) -> Spec:
    """What is to be made: what the spec names, and for the rest what the namespace has.

    Args:
        cluster: Where.
        spec: What is wanted.
        on_change: Told of each difference to what there is, before it is made.

    Raises:
        UsageError: A volume would have to change, which it cannot.
        ClusterError: The namespace has a broker of another kind, or workers that would lose theirs.
    """
    found = await installed(cluster)
    if found is None:
        return spec
    if "rabbitmq" in spec.named and spec.rabbitmq != found.kind:
        if found.is_there and found.kind != "existing":
            raise ClusterError(
                f"namespace {cluster.namespace} has a broker already ({found.title}), and a namespace has one: leave "
                f"--rabbitmq out, use another namespace, or remove that one with `{cluster.commands.k8s('down')}`"
            )
        rest: tuple[str, ...] = ()  # the options of another kind say nothing of this one
    else:
        rest = tuple(option for option in OPTIONS if option not in spec.named)
    wanted = _with(spec, found, rest)
    changed = [option for option in OPTIONS if not _is_same(getattr(wanted, option), found.options[option])]
    if wanted.rabbitmq == found.kind and await _has_volume(cluster, found):
        _check_volume(cluster, wanted, found, changed)
    if set(changed) & set(_REACH) and (job := await _at_work(cluster)):
        raise ClusterError(
            f"the workers of Job {job} would lose their broker ({_told(wanted, found, changed)}): wait until they have "
            f"ended, or stop them with `{cluster.commands.k8s('cancel')} --queue QUEUE`"
        )
    for option in changed:
        on_change(_told(wanted, found, [option]))
    return wanted


def _with(spec: Spec, found: Installed, options: tuple[str, ...]) -> Spec:
    return msgspec.structs.replace(
        spec, **{option: value for option in options if _is_known(option, value := found.options[option])}
    )


def _is_known(option: str, value: str | None) -> bool:
    # What is not set has no value; every other option always has one, unless the broker was made by hand.
    return value is not None or option in ("broker_secret", "broker_address", "tls_secret", "storage_class")


def _is_same(one: str | None, other: str | None) -> bool:
    # The API server writes 1024Mi as 1Gi.
    return one == other or bool(
        one and other and quantity(one) is not None and quantity(one) == quantity(other)
    )


def _told(wanted: Spec, found: Installed, options: list[str]) -> str:
    return "; ".join(
        f"{_flag(option)}: {found.options[option] or 'none'} becomes {getattr(wanted, option) or 'none'}"
        for option in options
    )


async def _has_volume(cluster: Cluster, found: Installed) -> bool:
    """Whether a volume is there whose size and class are settled; that of our own node outlives it."""
    if found.kind == "statefulset":
        return found.is_there or bool(await cluster.list("PersistentVolumeClaim", selector(BROKER, "broker")))
    return found.is_there


def _check_volume(cluster: Cluster, wanted: Spec, found: Installed, changed: list[str]) -> None:
    had = found.options["storage"]
    grows = (quantity(wanted.storage) or 0) > (quantity(had) or 0)
    if "storage_class" in changed:
        what, fixed = "storage_class", True
    else:
        what, fixed = "storage", found.kind == "statefulset" or not grows
    if what not in changed or not fixed or found.kind == "existing":
        return
    claim = f"data-{BROKER}-0"
    patch = f'{{"spec":{{"resources":{{"requests":{{"storage":"{wanted.storage}"}}}}}}}}'
    grows_by = f"patch pvc {claim} -p '{patch}'"
    grow = f"; where its class lets volumes grow, `{cluster.commands.kubectl(grows_by)}` does it without this"
    raise UsageError(
        f"{_flag(what)} cannot be changed on a broker that has its volume ({_told(wanted, found, [what])}): leave it out, or "
        f"begin anew with `{cluster.commands.k8s('down --purge')}`{grow if what == 'storage' and grows else ''}"
    )


async def _at_work(cluster: Cluster) -> str | None:
    jobs = await cluster.list("Job", {**PART_OF, "app.kubernetes.io/component": "worker"})
    working = (job for job in jobs if job_state(job) in ("running", "finishing"))
    return next((str(job["metadata"]["name"]) for job in working), None)


def _named(objects: Objects, name: str) -> Object | None:
    return next((found for found in objects if found["metadata"]["name"] == name), None)


def _noted(maps: Objects) -> dict[str, str | None]:
    found = _named(maps, RECORD)
    return {option: found["data"].get(option) or None for option in OPTIONS} if found else {}


def _of_node(found: Object) -> dict[str, Any]:
    pod = found["spec"]["template"]["spec"]
    container = _by_name(pod["containers"], CONTAINER)
    claims = found["spec"].get("volumeClaimTemplates") or [{}]
    claim = claims[0].get("spec", {})
    return {
        "rabbitmq": "statefulset",
        "tls_secret": _by_name(pod.get("volumes") or (), "tls").get("secret", {}).get("secretName"),
        "rabbitmq_image": container.get("image"),
        "storage": claim.get("resources", {}).get("requests", {}).get("storage"),
        "storage_class": claim.get("storageClassName"),
        "broker_memory": container.get("resources", {}).get("limits", {}).get("memory"),
        "broker_cpu": container.get("resources", {}).get("requests", {}).get("cpu"),
    }


def _of_cluster(found: Object) -> dict[str, Any]:
    spec = found["spec"]
    persistence = spec.get("persistence") or {}
    return {
        "rabbitmq": "operator",
        "tls_secret": (spec.get("tls") or {}).get("secretName"),
        "rabbitmq_image": spec.get("image"),
        "storage": persistence.get("storage"),
        "storage_class": persistence.get("storageClassName"),
        "broker_memory": ((spec.get("resources") or {}).get("limits") or {}).get("memory"),
        "broker_cpu": ((spec.get("resources") or {}).get("requests") or {}).get("cpu"),
    }


def _by_name(objects: Any, name: str) -> Object:
    return next((found for found in objects if found.get("name") == name), {})


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"
