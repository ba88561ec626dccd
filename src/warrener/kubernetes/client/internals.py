"""All that is used of lightkube beyond what it promises.

`pyproject.toml` caps lightkube's version. Before the cap is raised, the test of `missing` says what went away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    from httpx2 import AsyncClient as HttpClient
    from lightkube import AsyncClient
    from lightkube.config.kubeconfig import SingleConfig


def http_client(client: AsyncClient) -> HttpClient:
    """The HTTP client in it, which holds the login and reaches what is no object."""
    return client._client._client  # noqa: SLF001 - there is no public way to it


def trust(config: SingleConfig) -> ssl.SSLContext:
    """Whom a client of this configuration trusts, and the certificate that it shows.

    Python 3.13 and later refuse authorities that lack some extensions. Those of many clusters do, and kubectl takes them.
    """
    import ssl

    from lightkube.config.client_adapter import verify_cluster
    from lightkube.config.models import User

    context = verify_cluster(config.cluster, config.user or User(), config.abs_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def resource(group: str, version: str, kind: str, plural: str, *, is_namespaced: bool) -> Any:
    """The class of objects of a kind: a dict that knows where it lives.

    Unlike those that lightkube makes, it is not registered, or lightkube would take it for its own typed class of the
    same kind.
    """
    from lightkube.generic_resource import GenericGlobalResource, GenericNamespacedResource, create_api_info

    base = GenericNamespacedResource if is_namespaced else GenericGlobalResource
    return type(kind, (base,), {"_api_info": create_api_info(group, version, kind, plural)})


def missing() -> list[str]:
    """What this lightkube does not have any more of all this, each with what came instead."""
    import ssl

    from httpx2 import AsyncClient as HttpClient
    from lightkube import AsyncClient
    from lightkube.config.kubeconfig import SingleConfig
    from lightkube.config.models import Cluster, Context, User
    from lightkube.core.resource import api_info

    config = SingleConfig("c", Context(cluster="c"), Cluster(server="http://127.0.0.1:1"), User())
    expected = {
        "AsyncClient._client._client": (lambda: http_client(AsyncClient(config)), HttpClient),
        "config.client_adapter.verify_cluster": (lambda: trust(config), ssl.SSLContext),
        "generic_resource.create_api_info and its classes": (_made, type),
        "_api_info of a resource": (lambda: api_info(_made()).plural, str),
    }
    return [f"{name}: {found}" for name, (make, kind) in expected.items() if (found := _lacks(make, kind))]


def _made() -> Any:
    return resource("batch", "v1", "Job", "jobs", is_namespaced=True)


def _lacks(make: Any, kind: type) -> str:
    try:
        found = make()
    except Exception as error:  # noqa: BLE001 - whatever an update brings
        return f"{type(error).__name__}: {error}"
    return "" if isinstance(found, kind) else f"is now {found!r}"
