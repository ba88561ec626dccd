"""The options that describe a spec, for every verb that needs one, and where the cluster is."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click
from click.core import ParameterSource

from warrener.cli.ending import guarded
from warrener.cli.options import (
    concurrency_option,
    keep_logs_option,
    queue_option,
    queue_option_for,
    threads_option,
)
from warrener.cli.work_options import (
    Work,
    exec_option,
    max_memory_option,
    retries_option,
    shell_option,
    spawn_option,
    timeout_option,
)
from warrener.errors import UsageError
from warrener.kubernetes.manifests.code import Code, files_of, pack
from warrener.kubernetes.manifests.patch import read_patch
from warrener.kubernetes.manifests.record import OF_NODES
from warrener.kubernetes.manifests.record import OPTIONS as OF_THE_BROKER
from warrener.kubernetes.manifests.spec import DEFAULT_IMAGE, RABBITMQ_IMAGE, Autoscale, RabbitMQ, Spec
from warrener.provenance import queue_named_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

namespace_option: Final = click.option(
    "--namespace", "-n", metavar="NAME", default="default", help="Where all objects live."
)
context_option: Final = click.option(
    "--context", metavar="NAME", help="The kubeconfig's context; by default its current one."
)
kubeconfig_option: Final = click.option(
    "--kubeconfig", metavar="FILE", help="By default as kubectl finds it: $KUBECONFIG, ~/.kube/config."
)

_OPTIONS: Final = {
    "queue": queue_option,
    "namespace": namespace_option,
    "image": click.option(
        "--image",
        metavar="IMAGE",
        default=DEFAULT_IMAGE,
        help="Python with Warrener, and with what the app needs.",
    ),
    "command": exec_option,
    "is_shell": shell_option,
    "timeout": timeout_option,
    "retries": retries_option,
    "requirements": click.option(
        "--requirements",
        metavar="FILE",
        help="A requirements.txt that every pod installs at each start; with many workers an image is better.",
    ),
    "parallelism": click.option(
        "--parallelism",
        metavar="N",
        default=2,
        help="Workers at a time; with --autoscale, at most.",
    ),
    "processes": click.option(
        "--processes",
        metavar="N",
        default=1,
        help="Child processes of each worker.",
    ),
    "threads": threads_option,
    "concurrency": concurrency_option,
    "spawn": spawn_option,
    "max_memory": max_memory_option,
    "memory": click.option(
        "--memory",
        metavar="SIZE",
        default="256Mi",
        help="Memory of each worker, request and limit.",
    ),
    "cpu": click.option(
        "--cpu",
        metavar="AMOUNT",
        default="250m",
        help="CPU request of each worker.",
    ),
    "grace": click.option(
        "--grace",
        metavar="SECONDS",
        default=25,
        help="What running tasks get when a worker is stopped.",
    ),
    "keep_logs": keep_logs_option,
    "deadline": click.option(
        "--deadline",
        metavar="SECONDS",
        default=86400,
        help="When Kubernetes ends the Job whatever it does.",
    ),
    "ttl": click.option(
        "--ttl",
        metavar="SECONDS",
        default=86400,
        help="How long a finished Job and its logs are kept.",
    ),
    "rabbitmq": click.option(
        "--rabbitmq",
        type=click.Choice(get_args(RabbitMQ)),
        default="statefulset",
        help="statefulset: one node, for development and small runs. operator: three nodes by RabbitMQ's cluster "
        "operator. existing: a broker that is there. By default what the namespace has.",
    ),
    "broker_secret": click.option(
        "--broker-secret",
        metavar="NAME[:KEY]",
        help="With an existing broker: the Secret whose key 'url' or 'connection_string' is an administrator's URL.",
    ),
    "broker_address": click.option(
        "--broker-address",
        metavar="URL",
        help="With an existing broker: amqp[s]://HOST:PORT/VHOST, without user and password.",
    ),
    "rabbitmq_image": click.option(
        "--rabbitmq-image",
        metavar="IMAGE",
        default=RABBITMQ_IMAGE,
        help="The broker's image, with a pinned tag.",
    ),
    "storage": click.option(
        "--storage",
        metavar="SIZE",
        default="10Gi",
        help="Volume of each broker node.",
    ),
    "storage_class": click.option(
        "--storage-class",
        metavar="NAME",
        help="Its StorageClass; by default the cluster's.",
    ),
    "broker_memory": click.option(
        "--broker-memory",
        metavar="SIZE",
        default="2Gi",
        help="Memory of each broker node, request and limit.",
    ),
    "broker_cpu": click.option(
        "--broker-cpu",
        metavar="AMOUNT",
        show_default="500m; with --rabbitmq operator 1",
        help="CPU request of each broker node.",
    ),
    "tls_secret": click.option(
        "--tls-secret",
        metavar="NAME",
        help="A Secret with tls.crt, tls.key and ca.crt: the broker then serves TLS.",
    ),
    "egress": click.option(
        "--egress",
        multiple=True,
        metavar="CIDR",
        help="All that workers may reach besides the broker and DNS; repeat it. By default anything.",
    ),
    "autoscale": click.option(
        "--autoscale",
        type=click.Choice(get_args(Autoscale)),
        help="A KEDA ScaledJob instead of a Job: for a queue that stands.",
    ),
    "kueue": click.option(
        "--kueue",
        metavar="NAME",
        help="The Kueue LocalQueue that admits the Job.",
    ),
    "patch": click.option(
        "--patch",
        metavar="FILE",
        help="A pod template in YAML that is merged into Warrener's own, as Kubernetes merges: tolerations, volumes, "
        "and so on; null deletes.",
    ),
}
_WORK: Final = ("command", "is_shell", "timeout", "retries", "threads", "concurrency", "spawn")
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
    "broker_cpu",
    "tls_secret",
)


_NO_TLS: Final = click.option(
    "--no-tls", is_flag=True, help="Take TLS from a broker that has it, which otherwise stays."
)


def takes_cluster(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb --context and --kubeconfig."""
    return context_option(kubeconfig_option(verb))


def takes_queue(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb --queue, --namespace, --context and --kubeconfig."""
    return queue_option(namespace_option(takes_cluster(verb)))


def takes_spec(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb all options of a spec. It has an argument `app`, and gets the `Spec` as `spec`."""
    return _given(verb, ["app", *_OPTIONS])


def takes_batch_spec(verb: Callable[..., Any]) -> Callable[..., Any]:
    """As `takes_spec`, for a verb that has an argument `tasks`, too: its queue is named after that file."""
    names = [
        name for name in _OPTIONS if name not in OF_NODES
    ]  # which those verbs alone change that make a broker
    return _given(verb, ["app", *names], queue_option_for("named after the file of tasks"))


def takes_broker_spec(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb those options of a spec that describe a queue and its broker; it gets the `Spec` as `spec`."""
    return _NO_TLS(_given(verb, _BROKER))


def _given(
    verb: Callable[..., Any], names: Iterable[str], queue: Callable[..., Any] = queue_option
) -> Callable[..., Any]:
    @functools.wraps(verb)
    def command(**given: Any) -> Any:
        with guarded():
            given["queue"] = given["queue"] or queue_named_after(given["tasks"].path)
            named = _named(names, without_tls=given.pop("no_tls", False))
            wanted = _spec(named=named, **{name: given.pop(name) for name in names})
        return verb(spec=wanted, **given)

    decorated: Callable[..., Any] = command
    for name in reversed([name for name in names if name in _OPTIONS]):
        decorated = queue(decorated) if name == "queue" else _OPTIONS[name](decorated)
    return decorated


def _spec(**given: Any) -> Spec:
    """Of a broker alone, if there is no app or command among the options."""
    return _of_workers(**given) if "app" in given else Spec(**given)


def _named(names: Iterable[str], *, without_tls: bool) -> frozenset[str]:
    """The options about the broker that somebody typed, or has in the environment."""
    context = click.get_current_context()
    sources = {name: context.get_parameter_source(name) for name in OF_THE_BROKER if name in names}
    named = {name for name, source in sources.items() if source is not ParameterSource.DEFAULT}
    if without_tls and "tls_secret" in named:
        raise UsageError("--tls-secret and --no-tls exclude each other: give one of them")
    return frozenset(named | ({"tls_secret"} if without_tls else set()))


def _of_workers(
    *,
    app: str,
    requirements: str | None,
    egress: tuple[str, ...],
    patch: str | None,
    **given: Any,
) -> Spec:
    named = {name: given.pop(name) for name in _WORK}
    command = named["command"]
    work = Work(**named, processes=given["processes"], keeps_output=given["keep_logs"])
    module, archive = pack(app or ("" if command else "app"))
    code = Code(archive, _read(requirements) if requirements else "", files_of(command))
    return Spec(
        child=work.settings(module),
        code=code if code != Code() else None,
        egress=egress,
        patch=read_patch(patch) if patch else None,
        **given,
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--requirements {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
