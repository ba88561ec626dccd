"""The image of the Dockerfile as it stands, built by buildah, and pods that run it.

Its base is a small Debian with Python, so that no registry is needed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.cluster.test_cluster import assert_exact, square
from tests.debian_root import DebianRoot, NotMade
from warrener.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.conftest import Place

ROOT: Final = Path(__file__).parents[2]
BASE: Final = "localhost/debian-with-python:1"
IMAGE: Final = "localhost/warrener-test:built"
LOAD: Final = "WARRENER_TEST_LOAD"
PIP: Final = (Path("/etc/pip.conf"), Path("/etc/xdg/pip"))


class Buildah:
    """buildah, with a store of its own, and without need of user namespaces."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        store = ("--root", str(directory / "store"), "--runroot", str(directory / "run"))
        self._command = ("buildah", "--storage-driver", "vfs", *store)

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self._command, *words],
            env=os.environ | {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(self.directory)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-5000:]
        return done.stdout.strip()

    def base(self, root: Path) -> None:
        """Make a Debian what an image of Python is: `python` is there, and pip installs beside it."""
        archive = self.directory / "root.tar"
        subprocess.run(["tar", "-C", str(root), "--exclude", "./dev/*", "-cf", str(archive), "."], check=True)
        container = self("from", "scratch")
        self("add", container, str(archive), "/")
        archive.unlink()
        mounted = Path(self("mount", container))
        (mounted / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        for refusal in mounted.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            refusal.unlink()
        self("commit", "--rm", container, BASE)


def settings_of_pip() -> list[str]:
    """Options of buildah that give a build pip's settings of this machine, and what files those name."""
    there = [path for path in PIP if path.exists()]
    files = [file for path in there for file in (path.rglob("*.conf") if path.is_dir() else [path])]
    named = {
        Path(name)
        for file in files
        for name in re.findall(r"(?:(?<=file://)|(?<=\s))/[^\s]+", file.read_text())
    }
    mounts = {*there, *(path for path in named if path.exists() and not path.is_relative_to(PIP[1]))}
    return [word for path in sorted(mounts) for word in ("--volume", f"{path}:{path}:ro")]


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """The image is in its store."""
    if not shutil.which("buildah"):
        pytest.skip(
            "buildah is not installed: where it is, the image is built with it (apt-get install buildah)"
        )
    try:
        debian = DebianRoot.find("python", ["ca-certificates", "python3", "python3-pip"])
    except NotMade as error:
        pytest.skip(f"the image's base cannot be made: {error}")
    if debian is None:
        pytest.skip("the image's base, a Debian with Python, can only be made on Debian by root")
    buildah = Buildah(tmp_path_factory.mktemp("buildah"))
    try:
        buildah.base(debian.root)
        options = ("--pull=never", "--network", "host", *settings_of_pip())
        buildah("bud", *options, "--build-arg", f"PYTHON={BASE}", "--tag", IMAGE, str(ROOT))
        yield buildah
    finally:
        shutil.rmtree(buildah.directory)


def test_the_image_says_what_it_is(buildah: Buildah) -> None:
    config = json.loads(buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
    container = buildah("from", "--pull=never", IMAGE)

    said = buildah("run", "--network", "host", container, "--", *config["Entrypoint"], "--version")

    assert said == f"warrener {VERSION}"
    assert config["User"] == "10001:10001"


def test_pods_that_are_restricted_run_the_image(buildah: Buildah, place: Place) -> None:
    if LOAD not in os.environ:
        pytest.skip(
            f"set {LOAD} to a command that gives the nodes an image's archive, `kind load image-archive` say, and pods "
            "run the image that was built"
        )
    archive = buildah.directory / "image.tar"
    buildah("push", IMAGE, f"docker-archive:{archive}:{IMAGE}")
    subprocess.run([*shlex.split(os.environ[LOAD]), str(archive)], check=True)
    place.tasks("built", [square(n) for n in range(200)])

    done = place.submit("built", "--image", IMAGE)

    assert done.returncode == 0, done.stderr
    assert_exact(place, "built", 200, attempts={1})
