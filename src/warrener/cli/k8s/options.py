"""The options that describe a spec, for every verb that needs one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, Optional, TypeAlias, get_type_hints

import typer

from warrener.address import DEFAULT_QUEUE
from warrener.cli.options import QueueOption
from warrener.cli.printing import guarded
from warrener.errors import UsageError
from warrener.kubernetes.manifests.code import Code, pack
from warrener.kubernetes.manifests.patch import read_patch
from warrener.kubernetes.manifests.spec import DEFAULT_IMAGE, RABBITMQ_IMAGE, Autoscale, RabbitMQ, Spec

Verb: TypeAlias = Callable[Concatenate[Spec, ...], None]

NamespaceOption = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", help="Where all objects live.")
]
ContextOption = Annotated[
    Optional[str],  # noqa: UP045 - typer reads this form on every Python
    typer.Option("--context", metavar="NAME", help="The kubeconfig's context; by default its current one."),
]
KubeconfigOption = Annotated[
    Optional[str],  # noqa: UP045 - likewise
    typer.Option(
        "--kubeconfig", metavar="FILE", help="By default as kubectl finds it: $KUBECONFIG, ~/.kube/config."
    ),
]


_BROKER: Final = (
    "queue",
    "namespace",
    "rabbitmq",
    "broker_secret",
    "broker_address",
    "rabbitmq_image",
    "storage",
    "storage_class",
    "broker_memory",
    "tls_secret",
)


def takes_spec(verb: Verb) -> Callable[..., None]:
    """Give a verb an app and all options of a spec; it gets the `Spec` as its first argument."""
    app, *options = inspect.signature(spec).parameters  # arguments are told apart by their order
    return _given(verb, [app], options)


def takes_broker_spec(verb: Verb) -> Callable[..., None]:
    """Give a verb those options of a spec that describe a queue and its broker."""
    return _given(verb, [], _BROKER)


def _given(verb: Verb, first: Sequence[str], last: Sequence[str]) -> Callable[..., None]:
    shared = inspect.signature(spec).parameters
    own = list(inspect.signature(verb).parameters.values())[1:]
    hints = get_type_hints(spec, include_extras=True) | get_type_hints(verb, include_extras=True)

    @functools.wraps(verb)
    def command(**given: Any) -> None:
        with guarded():
            wanted = spec(**{name: given.pop(name) for name in (*first, *last)})
        verb(wanted, **given)

    parameters = [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in (*map(shared.__getitem__, first), *own, *map(shared.__getitem__, last))
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def spec(
    app: Annotated[
        str,
        typer.Argument(
            help="file.py, file.py:name or package/ are sent along; module or module:name is in the image.",
        ),
    ] = "app",
    queue: QueueOption = DEFAULT_QUEUE,
    namespace: NamespaceOption = "default",
    image: Annotated[
        str,
        typer.Option("--image", metavar="IMAGE", help="Python with Warrener, and with what the app needs."),
    ] = DEFAULT_IMAGE,
    requirements: Annotated[
        Optional[str],  # noqa: UP045 - typer reads this form on every Python
        typer.Option(
            "--requirements",
            metavar="FILE",
            help="A requirements.txt that every pod installs at each start; with many workers an image is better.",
        ),
    ] = None,
    parallelism: Annotated[
        int, typer.Option("--parallelism", metavar="N", help="Workers at a time; with --autoscale, at most.")
    ] = 2,
    processes: Annotated[
        int, typer.Option("--processes", metavar="N", help="Child processes of each worker.")
    ] = 1,
    memory: Annotated[
        str, typer.Option("--memory", metavar="SIZE", help="Memory of each worker, request and limit.")
    ] = "256Mi",
    cpu: Annotated[str, typer.Option("--cpu", metavar="AMOUNT", help="CPU request of each worker.")] = "250m",
    grace: Annotated[
        int,
        typer.Option("--grace", metavar="SECONDS", help="What running tasks get when a worker is stopped."),
    ] = 25,
    deadline: Annotated[
        int,
        typer.Option("--deadline", metavar="SECONDS", help="When Kubernetes ends the Job whatever it does."),
    ] = 86400,
    ttl: Annotated[
        int, typer.Option("--ttl", metavar="SECONDS", help="How long a finished Job and its logs are kept.")
    ] = 86400,
    rabbitmq: Annotated[
        RabbitMQ,
        typer.Option(
            "--rabbitmq",
            help="statefulset: one node, for development and small runs. operator: three nodes by RabbitMQ's cluster "
            "operator. existing: a broker that is there.",
        ),
    ] = "statefulset",
    broker_secret: Annotated[
        Optional[str],  # noqa: UP045 - likewise
        typer.Option(
            "--broker-secret",
            metavar="NAME[:KEY]",
            help="With an existing broker: the Secret whose key 'url' or 'connection_string' is an administrator's URL.",
        ),
    ] = None,
    broker_address: Annotated[
        Optional[str],  # noqa: UP045 - likewise
        typer.Option(
            "--broker-address",
            metavar="URL",
            help="With an existing broker: amqp[s]://HOST:PORT/VHOST, without user and password.",
        ),
    ] = None,
    rabbitmq_image: Annotated[
        str, typer.Option("--rabbitmq-image", metavar="IMAGE", help="The broker's image, with a pinned tag.")
    ] = RABBITMQ_IMAGE,
    storage: Annotated[
        str, typer.Option("--storage", metavar="SIZE", help="Volume of each broker node.")
    ] = "10Gi",
    storage_class: Annotated[
        Optional[str],  # noqa: UP045 - likewise
        typer.Option("--storage-class", metavar="NAME", help="Its StorageClass; by default the cluster's."),
    ] = None,
    broker_memory: Annotated[
        str,
        typer.Option(
            "--broker-memory", metavar="SIZE", help="Memory of each broker node, request and limit."
        ),
    ] = "2Gi",
    tls_secret: Annotated[
        Optional[str],  # noqa: UP045 - likewise
        typer.Option(
            "--tls-secret",
            metavar="NAME",
            help="A Secret with tls.crt, tls.key and ca.crt: the broker then serves TLS.",
        ),
    ] = None,
    egress: Annotated[
        Optional[list[str]],  # noqa: UP045 - likewise
        typer.Option(
            "--egress",
            metavar="CIDR",
            help="All that workers may reach besides the broker and DNS; repeat it. By default anything.",
        ),
    ] = None,
    autoscale: Annotated[
        Optional[Autoscale],  # noqa: UP045 - likewise
        typer.Option("--autoscale", help="A KEDA ScaledJob instead of a Job: for a queue that stands."),
    ] = None,
    kueue: Annotated[
        Optional[str],  # noqa: UP045 - likewise
        typer.Option("--kueue", metavar="NAME", help="The Kueue LocalQueue that admits the Job."),
    ] = None,
    patch: Annotated[
        Optional[str],  # noqa: UP045 - likewise
        typer.Option(
            "--patch",
            metavar="FILE",
            help="A pod template in YAML that is merged into Warrener's own, as Kubernetes merges: tolerations, volumes, "
            "and so on; null deletes.",
        ),
    ] = None,
) -> Spec:
    """The spec that these options describe."""
    module, archive = pack(app)
    code = Code(archive, _read(requirements) if requirements else "")
    return Spec(
        queue=queue,
        namespace=namespace,
        app=module,
        code=code if code != Code() else None,
        image=image,
        parallelism=parallelism,
        processes=processes,
        memory=memory,
        cpu=cpu,
        grace=grace,
        deadline=deadline,
        ttl=ttl,
        rabbitmq=rabbitmq,
        broker_secret=broker_secret,
        broker_address=broker_address,
        rabbitmq_image=rabbitmq_image,
        storage=storage,
        storage_class=storage_class,
        broker_memory=broker_memory,
        tls_secret=tls_secret,
        egress=tuple(egress or ()),
        autoscale=autoscale,
        kueue=kueue,
        patch=read_patch(patch) if patch else None,
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--requirements {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
