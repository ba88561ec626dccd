"""A file of tasks that lies behind a URL, brought here whole before it is read: a connection that is lost loses no line."""

from __future__ import annotations

import shutil
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlsplit

from warrener.errors import BrokerUnreachable, UsageError

_TIMEOUT: Final = 60.0  # seconds without a byte
_WORTH_TRYING_AGAIN: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def fetch(url: str, directory: Path) -> str:
    """Bring what is behind http[s]://... into a directory, under its own name there; the file's path.

    Raises:
        UsageError: There is no such thing, or not for us; or no room for it here.
        BrokerUnreachable: The server is away, or the connection was lost: it may be tried again.
    """
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.hostname}{parts.path}"  # what follows may be a password
    path = directory / (Path(parts.path).name or "tasks.jsonl")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - the caller knows that it is no file:
            length = int(answer.headers.get("Content-Length") or -1)
            try:
                with path.open("wb") as file:
                    shutil.copyfileobj(answer, file)
            except OSError as error:
                if error.filename is None and error.errno is None:
                    raise
                raise UsageError(f"{shown} cannot be kept in {path}: {error.strerror}") from error
    except HTTPError as error:
        error.close()  # it is an answer, too
        why = f"{shown} cannot be fetched: the server answers {error.code} {error.reason}"
        if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _WORTH_TRYING_AGAIN:
            raise BrokerUnreachable(why) from error
        raise UsageError(why) from error
    except (OSError, ValueError) as error:
        raise BrokerUnreachable(f"{shown} cannot be fetched: {getattr(error, 'reason', error)}") from error
    if 0 <= length != path.stat().st_size:
        raise BrokerUnreachable(f"{shown} cannot be fetched: the connection was lost before its end")
    return str(path)
