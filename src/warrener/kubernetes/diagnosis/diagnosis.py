"""One thing in the way, as a sentence."""

from __future__ import annotations

import msgspec


class Diagnosis(msgspec.Struct, frozen=True):
    """One thing in the way.

    Args:
        reason: Kubernetes' word for it: `ImagePullBackOff`. Stable, for scripts.
        text: A sentence for people: what is wrong, and what to do.
        fatal: Whether waiting cannot help: somebody has to mend something first.
        pods: The pods it holds for; none for a Job's.
    """

    reason: str
    text: str
    fatal: bool = False
    pods: tuple[str, ...] = ()
