"""What pika raises, as errors of ours."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Final

from pika import exceptions as pika_errors

from warrener.errors import (
    AccessRefused,
    BrokerError,
    BrokerUnreachable,
    MessageTooLarge,
    QueueMismatch,
    QueueMissing,
)

if TYPE_CHECKING:
    from warrener.address import Address

_LOST: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)  # a connection, not trust
_PROBABLE: Final = (pika_errors.ProbableAuthenticationError, pika_errors.ProbableAccessDeniedError)
# What RabbitMQ says itself; anything else is a connection that was lost.
_WAS_REFUSED: Final = re.compile(r"ConnectionClosedByBroker: \((403|530)\)")
# What Python says of an answer that is no TLS, as a plain port gives it.
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
# A limit on connections or channels, as an operator sets it: there is room again when others have left.
_LIMIT: Final = re.compile(
    r"(user )?connection limit \(\d+\) is reached|maximum allowed (user )?limit of \(\d+\)"
)


class QueueAway(BrokerUnreachable):
    """The broker knows the queue and does not reach it, as while it starts, or while another client makes the queue."""


def translate(error: BaseException | str, address: Address) -> BrokerError:
    """What pika raised, as one of our errors, in a sentence that holds no secret."""
    for cause in _causes(error):
        if isinstance(cause, _PROBABLE) and not _WAS_REFUSED.search(str(cause)):
            continue  # pika takes a connection that is lost while it is made for a refusal
        if isinstance(cause, pika_errors.ProbableAuthenticationError | pika_errors.AuthenticationError):
            return AccessRefused(
                f"{address.shown} refuses user {address.credentials[0]!r}: wrong name or password"
            )
        if isinstance(cause, pika_errors.ProbableAccessDeniedError):
            return _not_allowed(str(cause), address, f"virtual host {address.vhost!r}")
        if isinstance(cause, pika_errors.ConnectionClosed | pika_errors.ChannelClosed):
            return _by_code(cause.reply_code, cause.reply_text, address)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _LOST):
            why = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or cause
            if why in _NO_TLS:
                why = f"it does not speak TLS ({why}): use amqp://, or the port for TLS, by default 5671"
            return AccessRefused(f"no trust in {address.shown}: {why}")
        if isinstance(cause, OSError):
            return BrokerUnreachable(f"{address.shown} cannot be reached: {cause.strerror or cause}")
    return BrokerUnreachable(f"the connection to {address.shown} was lost ({type(error).__name__})")


def _causes(error: object) -> list[object]:
    """An error and those it wraps, the innermost first: pika nests what went wrong while connecting."""
    nested = list(getattr(error, "exceptions", ()) or ())
    nested += [argument for argument in getattr(error, "args", ()) if isinstance(argument, BaseException)]
    if isinstance(inner := getattr(error, "exception", None), BaseException):
        nested.append(inner)
    return [cause for inner in nested for cause in _causes(inner)] + [error]


def _by_code(code: int, text: str, address: Address) -> BrokerError:
    match code:
        case 403 | 530:
            return _not_allowed(text, address, "this", f": {_plain(text)}")
        case 404:
            return _not_found(text, address)
        case 406 if size := re.search(r"message size (\d+) is larger than configured max size (\d+)", text):
            return MessageTooLarge(
                f"a message has {int(size[1]):,} bytes; {address.shown} takes {int(size[2]):,}", int(size[2])
            )
        case 406 if "inequivalent arg" in text:
            return _mismatch(text, address)
        case 405 | 406 if "invalid arg" in text or "exclusive access" in text:
            return QueueMismatch(
                f"queue {address.queue!r} on {address.shown} cannot be used by Warrener ({_plain(text)}): "
                "see `warrener doctor`, and take another queue name"
            )
    return BrokerUnreachable(f"{address.shown} closed the connection: {_plain(text)} (code {code})")


def _not_allowed(text: str, address: Address, what: str, why: str = "") -> BrokerError:
    if limit := _LIMIT.search(text):
        return BrokerUnreachable(f"{address.shown} accepts no more connections or channels: {limit[0]}")
    return AccessRefused(f"{address.shown} refuses {what} to user {address.credentials[0]!r}{why}")


def _not_found(text: str, address: Address) -> BrokerError:
    if not text.startswith("NOT_FOUND - no "):
        return QueueAway(f"{address.shown}: {_plain(text)}")
    return QueueMissing(
        f"queue {address.queue!r} does not exist on {address.shown}, or lacks a part ({_plain(text)}); "
        "publish tasks, or create it with `warrener setup`"
    )


def _mismatch(text: str, address: Address) -> QueueMismatch:
    found = re.search(
        r"inequivalent arg '([^']+)' for (\w+) '([^']+)'.*received (.+) but current is (.+)", text
    )
    if not found:
        return QueueMismatch(_plain(text))
    argument, kind, name, wanted, current = found.groups()
    return QueueMismatch(
        f"{kind} {name!r} exists with {argument} = {_value(current)}, wanted is {_value(wanted)}: delete it with "
        f"`warrener delete --queue {address.queue}` (its tasks are lost), or take another queue name"
    )


def _value(text: str) -> str:
    quoted = re.search(r"'([^']*)'", text)
    return (quoted[1] if quoted else text.replace("the value ", "").strip()) or "nothing"


def _plain(text: str) -> str:
    """RabbitMQ's words without its error class in capitals."""
    return re.sub(r"^[A-Z_]+ - ", "", text)
