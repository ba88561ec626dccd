"""Answers of the API: JSON, and errors in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from warrener.codec import encode
from warrener.errors import AccessRefused, BrokerError, ClusterError, QueueMissing, UsageError, WarrenerError

if TYPE_CHECKING:
    from starlette.requests import Request


class Refused(WarrenerError):  # noqa: N818 - reads as what it is
    """What was asked for is not done.

    Args:
        status: The answer's status.
        sentence: Why, and what to do instead.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON, which no browser keeps or takes for anything else."""
    return Response(encode(value), status, {"Cache-Control": "no-store"}, "application/json")


def refusal(status: int, sentence: str) -> Response:
    """An error."""
    return answer({"error": sentence}, status)


async def on_error(_: Request, error: Exception) -> Response:
    """The answer to what our code raises."""
    return refusal(status_of(error), str(error))


async def on_bug(_: Request, __: Exception) -> Response:
    """The answer to what nobody expected; it is in the log."""
    return refusal(500, "this is a defect of the page's server, whose log says more")


async def on_missing(request: Request, _: Exception) -> Response:
    """The answer where there is nothing."""
    return refusal(404, f"there is nothing at {request.url.path}: the page is at /")


async def on_wrong_method(request: Request, _: Exception) -> Response:
    """The answer to another method than there is."""
    return refusal(405, f"{request.method} is not for {request.url.path}")


def status_of(error: Exception) -> int:
    """The status that goes with an error of ours."""
    if isinstance(error, Refused):
        return error.status
    for kind, status in (
        (UsageError, 400),
        (QueueMissing, 404),
        (AccessRefused, 403),
        (BrokerError, 503),
        (ClusterError, 503),
    ):
        if isinstance(error, kind):
            return status
    return 500
