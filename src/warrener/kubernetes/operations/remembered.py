"""What a queue's workers were last made of, kept beside them: Jobs are deleted, a day after their end or by `down`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.kubernetes.manifests.names import ObjectNames, selector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.objects import Object

_KEY: Final = "job.json"


async def remember(cluster: Cluster, names: ObjectNames, job: Object) -> None:
    """Keep what a Job was made of, in place of the last one."""
    about = {
        key: value for key, value in job["metadata"].items() if key in ("namespace", "labels", "annotations")
    }
    await cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": names.standing, **about},
            "data": {_KEY: msgspec.json.format(msgspec.json.encode(job), indent=2).decode() + "\n"},
        }
    )


async def remembered(cluster: Cluster, names: ObjectNames) -> Object | None:
    """The Job that was last started, as it was made; None if that is not known."""
    for found in await cluster.list("ConfigMap", selector(names.base, "worker")):
        if found["metadata"]["name"] == names.standing:
            with suppress(KeyError, msgspec.MsgspecError):
                job: dict[str, Any] = msgspec.json.decode(found["data"][_KEY], type=dict[str, Any])
                return job
    return None


def needs(names: ObjectNames, job: Object) -> Iterator[tuple[str, str]]:
    """Kinds and names of what a Job of workers needs beside it, what is remembered of it among that."""
    yield "NetworkPolicy", names.standing
    yield "ConfigMap", names.standing
    for volume in job["spec"]["template"]["spec"].get("volumes") or ():
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
