"""Errors of lightkube and of its HTTP client as ours."""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from warrener.errors import ClusterError, ClusterRefused, ClusterUnreachable
from warrener.kubernetes.client.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.kubernetes.objects import Object


@contextmanager
def translated(deed: str, server: str) -> Iterator[None]:
    """Let no error of a library out: one of ours instead, with its sentence.

    Args:
        deed: What is asked of the API server, for the sentence: `apply Job render`.
        server: The API server's address.

    Raises:
        ClusterError: Instead of whatever the block raises.
    """
    import httpx2
    from lightkube import ConfigError

    try:
        yield
    except httpx2.HTTPStatusError as error:
        raise refusal(error.response.status_code, _status(error), deed, server) from error
    except httpx2.TimeoutException as error:
        raise ClusterUnreachable(f"{server} does not answer") from error
    except httpx2.HTTPError as error:
        raise _unreachable(error, server) from error
    except (ConfigError, OSError, KeyError) as error:  # of a login plugin, or of a token's file
        raise ClusterRefused(f"cannot log in to {server}: {error}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise ClusterUnreachable(f"{server} does not answer as the Kubernetes API does: {error}") from error


def _status(error: Any) -> Object:
    """The `Status` object of an answer, empty when it is something else, a proxy's page say."""
    try:
        status = error.response.json()
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _unreachable(error: Exception, server: str) -> ClusterError:
    why = str(error) or type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ClusterRefused(f"no trust in {server}: {cause.verify_message}")
        if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError):
            # asyncio puts its own words here, unless the name could not be resolved.
            why = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror or why
        cause = cause.__cause__ or cause.__context__
    return ClusterUnreachable(f"{server} cannot be reached: {why}")
