"""Which cluster, and as whom: the kubeconfig, found as kubectl finds it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.errors import UsageError
from warrener.extras import missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightkube.config.kubeconfig import KubeConfig, SingleConfig
    from lightkube.config.models import User, UserExec

EXTRA_MISSING: Final = missing("Kubernetes needs", "kubernetes")
_SPOKEN: Final = "client.authentication.k8s.io/v1beta1"


def load(context: str | None, kubeconfig: str | None) -> SingleConfig:
    """The connection's settings.

    Looked for in this order, the first that exists: the given file, the files of `KUBECONFIG`,
    `~/.kube/config`, the service account of the pod this runs in.

    Args:
        context: The context to take instead of the current one.
        kubeconfig: The file to take instead of looking for one.

    Raises:
        UsageError: There is none, or it cannot be used; says what to do.
    """
    try:
        from lightkube.config.kubeconfig import KubeConfig
    except ImportError:
        raise UsageError(EXTRA_MISSING) from None
    from lightkube import ConfigError
    from yaml import YAMLError

    paths = [Path(path).expanduser() for path in _candidates(kubeconfig)]
    shown = os.pathsep.join(map(str, paths))
    found = [path for path in paths if path.is_file()]
    try:
        if found:
            return _pick([KubeConfig.from_file(path) for path in found], context, shown)
        if kubeconfig is None and context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
            return KubeConfig.from_service_account().get()  # type: ignore[return-value] # there is a current context
    except (
        ConfigError,
        YAMLError,
        msgspec.MsgspecError,
        LookupError,
        TypeError,
        OSError,
        AttributeError,
    ) as error:
        raise UsageError(f"the kubeconfig {shown} cannot be used: {_one_line(error)}") from error
    raise UsageError(f"there is no kubeconfig at {shown}: name one with --kubeconfig or KUBECONFIG")


def _candidates(kubeconfig: str | None) -> list[str]:
    if kubeconfig:
        return [kubeconfig]
    from_environment = [path for path in os.environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    return from_environment or ["~/.kube/config"]


def _pick(files: Sequence[KubeConfig], context: str | None, shown: str) -> SingleConfig:
    """One context out of several files, in which the first to name a thing wins, as for kubectl."""
    from lightkube.config.kubeconfig import SingleConfig
    from lightkube.config.models import User

    name = context or next((file.current_context for file in files if file.current_context), None)
    if name is None:
        raise UsageError(f"the kubeconfig {shown} has no current context: name one with --context")
    chosen, _ = _named(files, "contexts", name, shown)
    cluster, file = _named(files, "clusters", chosen.cluster, shown)
    # A context needs no user (that of `kubectl proxy`, say), but lightkube wants one.
    user = _named(files, "users", chosen.user, shown)[0] if chosen.user else User()
    return SingleConfig(name, chosen, cluster, _with_plugin(user), file.fname)


def _named(files: Sequence[KubeConfig], things: str, name: str, shown: str) -> tuple[Any, KubeConfig]:
    known: list[str] = []
    for file in files:
        if name in getattr(file, things):
            return getattr(file, things)[name], file
        known += getattr(file, things)
    raise UsageError(
        f"the kubeconfig {shown} has no {things.removesuffix('s')} {name!r}: it has {', '.join(known) or 'none'}"
    )


def _with_plugin(user: User) -> User:
    """The user, with a login plugin that lightkube will run: it refuses v1, whose answer is the same."""
    if user.exec is None:
        return user
    from lightkube.config.models import NameValue

    plugin: UserExec = user.exec
    # kubectl tells the plugin in this variable which version to speak, and that nobody is there to be asked.
    request = {"apiVersion": plugin.apiVersion, "kind": "ExecCredential", "spec": {"interactive": False}}
    info = NameValue("KUBERNETES_EXEC_INFO", msgspec.json.encode(request).decode())
    spoken = _SPOKEN if plugin.apiVersion == "client.authentication.k8s.io/v1" else plugin.apiVersion
    changed = msgspec.structs.replace(plugin, apiVersion=spoken, env=[*(plugin.env or []), info])
    return msgspec.structs.replace(user, exec=changed)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
