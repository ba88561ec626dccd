"""Which cluster, and as whom."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.kubernetes.conftest import write_kubeconfig
from warrener.errors import ClusterRefused, ClusterUnreachable, UsageError
from warrener.kubernetes.client.cluster import Cluster

if TYPE_CHECKING:
    from pathlib import Path

    from kmock import RawHandler


@pytest.fixture(autouse=True)
def _nobodys_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_there_is_none(tmp_path: Path) -> None:
    sentence = (
        f"^there is no kubeconfig at {tmp_path}/.kube/config: name one with --kubeconfig or KUBECONFIG$"
    )
    with pytest.raises(UsageError, match=sentence):
        Cluster.open()


def test_an_unknown_context_and_a_missing_user(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1")

    with pytest.raises(UsageError, match=f"^the kubeconfig {path} has no context 'prod': it has test$"):
        Cluster.open(kubeconfig=path, context="prod")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "cannot be used: while parsing"),
        ("just words", "cannot be used: "),
        ("clusters: [{name: 1}]", "cannot be used: "),
        ("{clusters: [], contexts: []}", "has no current context: name one with --context"),
    ],
)
def test_a_broken_file(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "config").write_text(text)

    with pytest.raises(UsageError, match=sentence) as caught:
        Cluster.open(kubeconfig=str(tmp_path / "config"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "user",
    [
        {"client-certificate-data": "!", "client-key-data": "!"},
        {"client-certificate": "no.crt", "client-key": "no.key"},
    ],
)
def test_a_certificate_that_cannot_be_read(tmp_path: Path, user: dict[str, str]) -> None:
    path = write_kubeconfig(tmp_path / "config", "https://127.0.0.1:1", **user)

    with pytest.raises(UsageError, match=r"^context 'test' of the kubeconfig cannot be used: "):
        Cluster.open(kubeconfig=path)


def test_several_files_are_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clusters = {
        "clusters": [{"name": "far", "cluster": {"server": "http://far"}}],
        "contexts": [],
        "users": [],
    }
    contexts = {
        "clusters": [],
        "contexts": [{"name": "c", "context": {"cluster": "far"}}],
        "current-context": "c",
    }
    for name, content in (("one", clusters), ("two", contexts)):
        (tmp_path / name).write_text(yaml.safe_dump(content))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing:{tmp_path}/one:{tmp_path}/two")

    cluster = Cluster.open()

    assert cluster.server == "http://far"
    assert cluster.namespace == "default"
    assert Cluster.open(namespace="batch").namespace == "batch"


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_a_login_plugin(kmock: RawHandler, tmp_path: Path, version: str) -> None:
    plugin = (
        "import json, os; asked = json.loads(os.environ['KUBERNETES_EXEC_INFO']); "
        "print(json.dumps({'status': {'token': asked['apiVersion'].split('/')[1] + '-token'}}))"
    )
    program = {
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "command": sys.executable,
        "args": ["-c", plugin],
        "interactiveMode": "Never",
    }
    path = write_kubeconfig(tmp_path / "config", str(kmock.url), exec=program)
    kmock["get"] << {"kind": "Job", "metadata": {"name": "it"}}

    async with Cluster.open(kubeconfig=path) as cluster:
        await cluster.get("Job", "it")
        endpoint = await cluster.endpoint("/x")

    assert next(iter(kmock)).headers["Authorization"] == f"Bearer {version}-token"
    assert endpoint.headers == {"Authorization": f"Bearer {version}-token"}


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("no-such-command", ""),
        (sys.executable, "import sys; sys.exit('not logged in')"),
        (sys.executable, "print({})"),
    ],
)
async def test_a_login_plugin_that_fails(tmp_path: Path, command: str, answer: str) -> None:
    program = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": command,
        "args": ["-c", answer],
    }
    path = write_kubeconfig(tmp_path / "config", "http://127.0.0.1:1", exec=program)

    async with Cluster.open(kubeconfig=path) as cluster:
        with pytest.raises(ClusterRefused, match=r"^cannot log in to http://127.0.0.1:1: "):
            await cluster.get("Job", "it")


async def test_the_wrong_scheme(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", "ftp://127.0.0.1:1")

    async with Cluster.open(kubeconfig=path) as cluster:
        with pytest.raises(ClusterUnreachable):
            await cluster.get("Job", "it")


def test_within_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    # The service account's files are at a fixed place, which only a pod has.
    with pytest.raises(UsageError, match=r"cannot be used: .*serviceaccount/token"):
        Cluster.open()


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightkube.config.kubeconfig", None)

    with pytest.raises(
        UsageError, match=r"needs the extra `kubernetes`: pip install 'warrener\[kubernetes\]'$"
    ):
        Cluster.open()


def test_help_needs_no_extra() -> None:
    script = (
        "import sys; sys.modules.update(lightkube=None, httpx2=None, websockets=None, yaml=None); "
        "import warrener.cli, warrener.kubernetes.client.cluster, warrener.kubernetes.client.port_forward, warrener.kubernetes.diagnosis.diagnosis"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
