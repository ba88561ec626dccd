"""What is in the way of a container, or has ended it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from warrener.exit_codes import Exit
from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
from warrener.kubernetes.diagnosis.reading import kind, last_line, plain, queue_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.kubernetes.commands import Commands
    from warrener.kubernetes.objects import Object

IMAGE_REASONS: Final = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}
# What a registry or a runtime says when asking again will bring nothing else.
_NO_SUCH_IMAGE: Final = re.compile(
    r"not found|manifest unknown|does not exist|unauthorized|denied|authentication required|Never",
    re.IGNORECASE,
)


def diagnose_containers(pod: Object, commands: Commands) -> Iterator[Diagnosis]:
    """What is in the way of a pod's containers, or has ended them."""
    up = commands.k8s("up", queue_of(pod))
    status, spec = pod.get("status", {}), pod["spec"]
    for is_init, states, specs in (
        (True, status.get("initContainerStatuses"), spec.get("initContainers")),
        (False, status.get("containerStatuses"), spec.get("containers")),
    ):
        limits = {c["name"]: c.get("resources", {}).get("limits", {}).get("memory") for c in specs or ()}
        for container in states or ():
            name, state = container["name"], container.get("state", {})
            if waiting := state.get("waiting"):
                yield from _waiting(container, waiting, limits.get(name), up)
            elif ended := state.get("terminated"):
                will_stay = spec.get("restartPolicy") == "Never"
                found = [*_lacks(container["image"], ended)] or [
                    *_terminated(name, ended, limits.get(name), is_init=is_init, will_stay=will_stay)
                ]
                if (
                    not found
                    and ended.get("exitCode") == Exit.STOPPED
                    and not pod["metadata"].get("deletionTimestamp")
                ):
                    found = [*_gave_up(name, ended)]  # nobody has told it to end
                yield from found


def _waiting(container: Object, waiting: Object, limit: str | None, up: str) -> Iterator[Diagnosis]:
    name, reason, message = container["name"], waiting.get("reason", ""), plain(waiting.get("message", ""))
    if reason in IMAGE_REASONS:
        yield _no_image(container["image"], reason, message)
    elif reason == "CreateContainerConfigError":
        yield Diagnosis(reason, _misconfigured(name, message, up), fatal=True)
    elif reason in {"CreateContainerError", "RunContainerError"}:
        yield Diagnosis(reason, f"container {name} does not start: {message}", fatal=True)
    elif reason == "CrashLoopBackOff":
        last = container.get("lastState", {}).get("terminated", {})
        why = next(_terminated(name, last, limit, is_init=False, will_stay=False), None)
        text = why.text if why else f"container {name} ended with exit code {last.get('exitCode', 'unknown')}"
        yield Diagnosis(
            reason, f"{text} (it keeps restarting: {container.get('restartCount', 0)} times so far)"
        )


def _lacks(image: str, ended: Object) -> Iterator[Diagnosis]:
    """What an image lacks that ours have."""
    message = ended.get("message", "")
    if "No module named warrener" in message or "No module named 'warrener'" in message:
        what = "Warrener"
    elif re.search(r'exec: "python": executable file not found|"?python"?: no such file', message):
        what = "Python"
    else:
        return
    yield Diagnosis(
        "ImageLacks",
        f"image {image} has no {what} (`python -m warrener` is what pods run): build it from the Dockerfile of Warrener, or as "
        "examples/kubernetes/Dockerfile does, and give it with --image",
        fatal=True,
    )


def _gave_up(name: str, ended: Object) -> Iterator[Diagnosis]:
    if said := last_line(ended.get("message", "")):
        yield Diagnosis("Stopped", f"container {name} gave up: {said}")


def _no_image(image: str, reason: str, message: str) -> Diagnosis:
    if reason == "InvalidImageName":
        return Diagnosis(reason, f"{image!r} is not the name of an image: correct --image", fatal=True)
    if reason == "ErrImageNeverPull":
        return Diagnosis(
            reason, f"image {image} is not on the node, and may not be pulled: load it there", fatal=True
        )
    if _NO_SUCH_IMAGE.search(message.replace(image, "")):
        way_out = "correct --image, push it, or give the pods an imagePullSecret with --patch"
        return Diagnosis(reason, f"image {image} is not there or not for us to pull: {way_out}", fatal=True)
    why = f" ({message})" if message else ""
    return Diagnosis(reason, f"image {image} cannot be pulled{why}: check that the nodes reach its registry")


def _misconfigured(container: str, message: str, up: str) -> str:
    if found := re.search(r'\b(secret|configmap) "([^"]+)" not found', message, re.IGNORECASE):
        return f"{kind(found[1])} {found[2]} does not exist: create it, or run `{up}`"
    if found := re.search(r"find key (\S+) in (Secret|ConfigMap) (?:\S+/)?(\S+)", message):
        return f"{found[2]} {found[3]} has no key {found[1]}: add it"
    if "runAsNonRoot" in message:
        return (
            f"the image of container {container} runs as root, which is not allowed: build it with USER 10001"
        )
    return f"container {container} cannot be made: {message}"


def _terminated(
    name: str, ended: Object, limit: str | None, *, is_init: bool, will_stay: bool
) -> Iterator[Diagnosis]:
    code, reason = ended.get("exitCode", 0), ended.get("reason", "Error")
    if code in {Exit.DRAINED, Exit.STOPPED}:
        return
    said = last_line(ended.get("message", ""))
    why = f": {said}" if said else ", see its log"
    if reason == "OOMKilled":
        most = f"its limit of {limit}" if limit else "its node has"
        text = f"container {name} was killed (OOMKilled) for using more memory than {most}: raise --memory"
        yield Diagnosis(reason, text, fatal=is_init and will_stay)
    elif reason in {"StartError", "ContainerCannotRun"}:
        yield Diagnosis(reason, f"container {name} does not start{why}", fatal=True)
    elif is_init:
        text = f"init container {name} failed with exit code {code}{why}"
        yield Diagnosis("InitContainerFailed", text, fatal=will_stay)
    elif code == Exit.UNFIT:
        yield Diagnosis("CannotWork", f"container {name} can never work{why}", fatal=True)
    else:
        yield Diagnosis(reason, f"container {name} ended with exit code {code}{why}")
