"""The page's own files."""

from __future__ import annotations

import re
from gzip import compress
from hashlib import blake2b
from mimetypes import guess_type
from pathlib import Path
from typing import Final, NamedTuple

from starlette.responses import Response

from warrener.web.answers import Refused

_ROOT: Final = Path(__file__).parent / "static"
_PAGE: Final = "index.html"
_OTHERS: Final = "vendor"  # as they came, with what their licences ask for
# Of comments whole lines alone: what looks like one may also be within a text. What lines begin with means nothing to any of our files.
_FOR_US: Final = re.compile(
    rb"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)$|^[ \t]+", re.MULTILINE | re.DOTALL
)
_DIGEST_IN_NAME: Final = re.compile(r"\.[0-9a-f]{8,}\.")
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_ASK: Final = "no-cache"
_KINDS: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}


class _File(NamedTuple):
    body: bytes
    packed: bytes
    kind: str
    etag: str


class Files:
    """All that there are, read once: no path that a request names is opened.

    Args:
        root: Their directory.
    """

    def __init__(self, root: Path = _ROOT) -> None:
        self._files = {
            path.relative_to(root).as_posix(): _read(path)
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def page(self, etag: str = "", *, is_packed: bool = False) -> Response:
        """The page itself. Raises: as `file`."""
        return self.file(_PAGE, etag, is_packed=is_packed)

    def file(
        self, name: str, etag: str = "", *, is_versioned: bool = False, is_packed: bool = False
    ) -> Response:
        """One of the files, or word that the browser has it.

        Args:
            name: Its path below the directory.
            etag: What the browser has, as it says it.
            is_versioned: Whether the browser asks under another name once the file is another one.
            is_packed: Whether the browser takes gzip.

        Raises:
            Refused: There is none.
        """
        found = self._files.get(name)
        if found is None:
            raise Refused(404, f"the page has no file {name[:200]!r}")
        keep = _FOR_EVER if is_versioned or _DIGEST_IN_NAME.search(name) else _ASK
        headers = {"ETag": found.etag, "Cache-Control": keep, "Vary": "Accept-Encoding"}
        if found.etag in (part.strip() for part in etag.split(",")):
            return Response(status_code=304, headers=headers)
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        return Response(found.packed if is_packed else found.body, headers=headers, media_type=found.kind)


def _read(path: Path) -> _File:
    body = path.read_bytes()
    if path.suffix in {".js", ".css"} and _OTHERS not in path.parts:
        body = _FOR_US.sub(_same_lines, body)
    kind = _KINDS.get(path.suffix) or guess_type(path.name)[0] or "application/octet-stream"
    # Weak, since it stands for the packed one, too.
    return _File(body, compress(body, mtime=0), kind, f'W/"{blake2b(body, digest_size=12).hexdigest()}"')


def _same_lines(found: re.Match[bytes]) -> bytes:
    """Nothing, on as many lines, so that an error in the browser names the line of our file."""
    return b"\n" * found[0].count(b"\n")
