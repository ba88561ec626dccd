"""What killed processes leave behind does not stay."""

import subprocess
import sys
import uuid
from pathlib import Path

from tests.own_directory import OwnDirectory

_MAKE = "import sys; from tests.own_directory import OwnDirectory; d = OwnDirectory(sys.argv[1]); print(d.path, flush=True); "


def _make(prefix: str) -> tuple[subprocess.Popen[str], Path]:
    maker = subprocess.Popen(
        [sys.executable, "-c", _MAKE + "sys.stdin.read()", prefix],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert maker.stdout
    return maker, Path(maker.stdout.readline().strip())


def test_a_directory_stays_while_its_owner_lives_and_goes_with_the_next_start_after_that() -> None:
    prefix = f"warrener-test-{uuid.uuid4().hex}-"
    owner, owned = _make(prefix)
    with owner:
        mine = OwnDirectory(prefix)
        (mine.path / "some" / "data").mkdir(parents=True)
        assert owned.is_dir()
        owner.kill()
    assert owned.is_dir()  # nobody was there to remove it
    other = OwnDirectory(prefix, in_memory=True)
    assert not owned.exists()
    assert mine.path.is_dir()
    for directory in (mine, other, mine):
        directory.remove()
        assert not directory.path.exists()
