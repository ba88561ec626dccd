"""The page about Python, followed to the letter."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.batch import PATIENCE
from tests.documents import Document

if TYPE_CHECKING:
    from pathlib import Path


def test_programs_run_as_they_stand(tmp_path: Path) -> None:
    files = Document("docs/python.md").files()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "images").mkdir()
    for name in ("a.jpg", "bb.jpg"):
        (tmp_path / "images" / name).touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WARRENER_")}

    said = ""
    for name in files:
        done = subprocess.run(
            [sys.executable, name], cwd=tmp_path, env=environment, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        said += done.stdout

    assert sorted(said.splitlines()) == [
        "[400, 200, 200]",
        "images/a.jpg {'width': 200, 'letters': 12}",
        "images/bb.jpg {'width': 200, 'letters': 13}",
    ]
    assert {file.name for file in (tmp_path / ".warrener").glob("*.db")} == {"orders.db", "thumbs-resize.db"}
