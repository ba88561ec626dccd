"""The app's code in a ConfigMap."""

from __future__ import annotations

import base64
import io
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.kubernetes.specs import small_spec
from warrener.errors import UsageError
from warrener.kubernetes.lint.objects import MAX_BYTES
from warrener.kubernetes.manifests.code import Code, files_of, left_here, pack
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.manifests.workers import worker_template
from warrener.worker.manifest import ChildSettings

PACKAGE = [
    "images/",
    "images/sizes/",
    "images/__init__.py",
    "images/sizes/__init__.py",
    "images/sizes/table.json",
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "app.py").write_text(
        "from warrener import App\napp = App()\n\n@app.task\ndef f() -> int:\n    return 1\n"
    )
    package = tmp_path / "images"
    for name in ("__init__.py", "sizes/__init__.py", "sizes/table.json", "__pycache__/x.pyc", ".git/config"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("")
    (tmp_path / "app.py").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(archive: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


@pytest.mark.parametrize(
    ("app", "module", "files"),
    [
        ("app.py", "app", ["app.py"]),
        ("./app.py:app", "app:app", ["app.py"]),
        ("images/", "images", PACKAGE),
        ("./images:app", "images:app", PACKAGE),
    ],
)
def test_paths_are_sent_along(here: Path, app: str, module: str, files: list[str]) -> None:
    found, archive = pack(app)
    assert found == module
    assert names(archive) == files


@pytest.mark.parametrize("app", ["images", "images.sizes:app", "nowhere"])
def test_modules_are_left_to_the_image(here: Path, app: str) -> None:
    assert pack(app) == (app, b"")


@pytest.mark.parametrize(
    ("app", "sentence"),
    [
        ("nowhere.py", "app 'nowhere.py' does not exist"),
        ("no/where", "app 'no/where' does not exist; a module that the image has is named without '/'"),
        ("my-app.py", "app 'my-app.py' cannot be imported as 'my-app': give it another name"),
        ("warrener.py", "cannot be imported as 'warrener'"),
    ],
)
def test_paths_that_cannot_be_sent(here: Path, app: str, sentence: str) -> None:
    (here / "my-app.py").touch()
    (here / "warrener.py").touch()
    with pytest.raises(UsageError) as refused:
        pack(app)
    assert sentence in str(refused.value)


def test_a_package_within_that_has_no_init_is_imported(here: Path) -> None:
    (here / "images" / "__init__.py").write_text("from images.plain.sizes import SIZES\n")
    (here / "images" / "plain").mkdir()
    (here / "images" / "plain" / "sizes.py").write_text("SIZES = [1]\n")
    (here / "away").mkdir()
    (here / "away" / "app.zip").write_bytes(pack("images/")[1])

    command = [sys.executable, "-c", "import images; assert images.SIZES"]
    subprocess.run(command, cwd=here / "away", env={**os.environ, "PYTHONPATH": "app.zip"}, check=True)


def test_a_package_with_a_data_set_is_refused_before_it_is_read(here: Path) -> None:
    with (here / "images" / "data.bin").open("wb") as file:
        file.truncate(101 * MAX_BYTES)

    with pytest.raises(UsageError, match=r"images has [\d,]+ bytes in 4 files, a ConfigMap holds .*--image"):
        pack("images/")


@pytest.mark.parametrize(
    ("app", "end"),
    [
        ("app:app", "; app.py here is not sent along: name the app app.py for that"),
        ("images", "; images/ here is not sent along: name the app images/ for that"),
        ("app.py", ""),
        ("images/", ""),
        ("nowhere", ""),
        ("", ""),
    ],
)
def test_an_app_that_is_here_and_was_to_be_in_the_image_is_named(here: Path, app: str, end: str) -> None:
    assert left_here(app) == end


def test_same_code_gives_the_same_bytes(here: Path) -> None:
    _, first = pack("images/")
    os.utime(here / "images" / "__init__.py", (0, 0))
    (here / "images" / "__init__.py").chmod(0o600)
    _, second = pack(f"{here}/images")
    assert first == second


def test_digest_changes_with_the_content() -> None:
    digests = {Code(b"a").digest, Code(b"b").digest, Code(b"a", "x").digest, Code(b"", "a").digest}
    assert len(digests) == 4
    assert all(len(digest) == 8 for digest in digests)


def test_what_is_sent_can_be_run(here: Path) -> None:
    module, archive = pack("app.py:app")
    away = here / "away"
    away.mkdir()
    (away / "app.zip").write_bytes(archive)
    publish = [sys.executable, "-m", "warrener", "publish", "-"]
    subprocess.run(publish, cwd=away, input=b'{"type": "f"}\n', check=True, capture_output=True)
    subprocess.run(
        [sys.executable, "-m", "warrener", "work", module, "--drain"],
        cwd=away,
        env={**os.environ, "PYTHONPATH": "app.zip"},
        check=True,
        capture_output=True,
    )


def test_files_that_a_command_names_are_sent_along(here: Path) -> None:
    (here / "tools").mkdir()
    for name in ("resize.sh", "tools/table.txt", "two words"):
        (here / name).write_text(name)
    sent = {
        "./resize.sh {data.file} --table tools/table.txt 'two words'": [
            "resize.sh",
            "tools/table.txt",
            "two words",
        ],
        f"{here}/resize.sh tools ../{here.name}/resize.sh nowhere.sh wc": [],
        "cat {id} | ./resize.sh": ["resize.sh"],
        "echo 'never closed ./resize.sh": [],
        f"echo {'x' * 5000} {{data.file}}": [],
    }
    for command, files in sent.items():
        assert list(files_of(command)) == files


def test_command_that_is_sent_can_be_run(here: Path) -> None:
    (here / "tools").mkdir()
    (here / "tools" / "count.sh").write_text("#!/bin/sh\nwc -c < tools/words\n")
    (here / "tools" / "words").write_text("one")
    command = "tools/count.sh tools/words"
    spec = small_spec(child=ChildSettings(command=command), code=Code(files=files_of(command)))
    (code,) = (found for found in render(spec, ["workers"]) if found["kind"] == "ConfigMap")
    pod = worker_template(spec)["spec"]
    (volume,) = (found["configMap"] for found in pod["volumes"] if found["name"] == "code")
    away = here / "away"
    for item in volume["items"]:
        file = away / item["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(code["binaryData"][item["key"]]))
        file.chmod(item["mode"])
    container = pod["containers"][0]
    cwd = away / Path(container["workingDir"]).relative_to("/etc/warrener/code")
    environment = {**os.environ, "WARRENER_BROKER": f"sqlite:{here}/queue.db"}
    warrener = [sys.executable, "-m", "warrener"]
    subprocess.run(
        [*warrener, "publish", "-"],
        env=environment,
        input=b'{"type": "t"}\n',
        check=True,
        capture_output=True,
    )
    subprocess.run([*warrener, *container["args"]], cwd=cwd, env=environment, check=True, capture_output=True)
    done = subprocess.run([*warrener, "results", "-o", "-"], env=environment, check=True, capture_output=True)

    assert b'"value":3' in done.stdout


def test_too_much_code() -> None:
    noise = random.Random(1).randbytes(MAX_BYTES)
    Code(noise)
    with pytest.raises(
        UsageError, match="1,048,577 bytes packed, a ConfigMap holds 1,048,576: build an image"
    ):
        Code(noise, "x")
    with pytest.raises(UsageError, match=r"the command's files \(model.bin\) and requirements have"):
        Code(files={"model.bin": noise + b"x"})
