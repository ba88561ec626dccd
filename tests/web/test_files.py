"""The page's own files: small, whole, and fetched once."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.web.visitor import served
from warrener.web import files
from warrener.web.files import Files

if TYPE_CHECKING:
    from warrener.address import Address

STATIC = Path(files.__file__).with_name("static")
LARGEST = 60_000  # all of it, with what is vendored, as one gzip
NAMES = sorted(
    path.relative_to(STATIC).as_posix()
    for path in STATIC.rglob("*")
    if path.suffix in {".js", ".css", ".html", ".svg"}
)
OWN = [name for name in NAMES if not name.startswith("vendor/")]


def test_page_stays_small() -> None:
    served = Files()
    others = [name for name in NAMES if name not in OWN]
    whole = gzip.compress(b"".join(bytes(served.file(name).body) for name in [*OWN, *others]))
    assert len(whole) < LARGEST
    for name in OWN:
        assert len((STATIC / name).read_text("utf-8").splitlines()) < 200, name


def test_comments_stay_here_and_lines_where_they_are() -> None:
    served = Files()
    for name in NAMES:
        written, sent = (STATIC / name).read_bytes(), bytes(served.file(name).body)
        if name not in OWN:
            assert sent == written
        elif name.endswith((".js", ".css")):
            lines = sent.decode().split("\n")
            assert not [line for line in lines if re.match(r"\s*(//|/\*)", line)], name
            for line, original in zip(lines, written.decode().split("\n"), strict=True):
                assert line in {"", original.lstrip()}
            assert name.endswith(".js") or sent.count(b"{") == written.count(b"{")  # its comments have none


async def test_files_are_packed_for_who_takes_it_and_fetched_once(sqlite_address: Address) -> None:
    async with served(sqlite_address) as visitor:
        for path in ("/", "/static/app.js"):
            plain = await visitor.get(path)
            packed = await visitor.get(path, Accept_Encoding="br, gzip;q=0.8")
            refused = await visitor.get(path, Accept_Encoding="gzip;q=0")

            assert gzip.decompress(packed.body) == plain.body == refused.body
            assert packed.headers["content-encoding"] == "gzip"
            assert "content-encoding" not in plain.headers | refused.headers
            assert packed.headers["vary"] == "Accept-Encoding"
            again = await visitor.get(path, If_None_Match=packed.headers["etag"], Accept_Encoding="gzip")
            assert (again.status, again.body) == (304, b"")
