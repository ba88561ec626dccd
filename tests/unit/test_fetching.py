"""Tasks behind a URL."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from warrener.errors import BrokerUnreachable, UsageError
from warrener.sources.fetching import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = b'{"type": "echo"}\n'


class Server(BaseHTTPRequestHandler):
    """Answers by the path."""

    answers: ClassVar = {
        "/tasks.jsonl": (200, BODY),
        "/gone": (404, b""),
        "/down": (503, b""),
        "/cut": (200, BODY),
    }

    def do_GET(self) -> None:
        status, body = self.answers[self.path.partition("?")[0]]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (5 if self.path == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def served() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_file_is_brought_here_or_why_it_is_not_is_said(tmp_path: Path) -> None:
    with served() as url:
        path = fetch(f"{url}/tasks.jsonl?token=secret", tmp_path)
        assert (Path(path).name, Path(path).read_bytes()) == ("tasks.jsonl", BODY)
        # What is not there now will not be there in a moment; a server that is down may be up again
        with pytest.raises(UsageError, match="the server answers 404"):
            fetch(f"{url}/gone", tmp_path)
        with pytest.raises(BrokerUnreachable, match="the server answers 503") as caught:
            fetch(f"{url}/down?token=secret", tmp_path)
        assert "secret" not in str(caught.value)
        with pytest.raises(BrokerUnreachable, match="the connection was lost"):
            fetch(f"{url}/cut", tmp_path)
        with pytest.raises(UsageError, match="cannot be kept in"):
            fetch(f"{url}/tasks.jsonl", tmp_path / "missing")
    with pytest.raises(BrokerUnreachable, match="cannot be fetched"):
        fetch(f"{url}/tasks.jsonl", tmp_path)
