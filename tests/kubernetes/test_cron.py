"""When a batch runs by itself, as it is written down."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml
from click.testing import CliRunner

from tests.kubernetes.specs import SPECS, small_spec
from warrener.cli.main import app
from warrener.errors import UsageError
from warrener.kubernetes.manifests.cron import Schedule
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.manifests.spec import Spec

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://example.com/tasks.jsonl"


@pytest.mark.parametrize(
    "cron", ["0 2 * * *", "*/5 0-6/2 1,15 jan-mar MON-fri", "@daily", "@every 1h30m", "0 0 ? * 0"]
)
def test_schedules(cron: str) -> None:
    assert Schedule(cron=cron, tasks=(URL,)).cron == cron


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("", "it has 1 fields instead of five"),
        ("0 2 * *", "it has 4 fields instead of five"),
        ("60 2 * * *", "'60' is no minute from 0 to 59"),
        ("0 24 * * *", "'24' is no hour from 0 to 23"),
        ("0 2 0 * *", "'0' is no day of the month from 1 to 31"),
        ("0 2 * 13 *", "'13' is no month from 1 to 12"),
        ("0 2 * * 7", "'7' is no day of the week from 0 to 6"),
        ("0 6-2 * * *", "'6-2' is no hour"),
        ("0 1-2-3 * * *", "'1-2-3' is no hour"),
        ("*/0 2 * * *", "'*/0' is no minute"),
        ("0 two * * *", "'two' is no hour"),
        ("@nightly", "there is no such short form"),
        ("TZ=UTC 0 2 * * *", "it has 6 fields instead of five"),
    ],
)
def test_what_is_none(cron: str, why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        Schedule(cron=cron, tasks=(URL,))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"time_zone": "Vienna"}, "--time-zone 'Vienna' is not known"),
        ({"volume": "My Claim"}, "--volume 'My Claim' is not the name"),
        ({"tasks": ("tasks.jsonl",)}, "cannot be read in the cluster"),
        ({"tasks": ("/data/tasks.jsonl",)}, "cannot be read in the cluster"),
        ({"tasks": ("file:///etc/passwd",)}, "cannot be read in the cluster"),
        ({"tasks": ("https://me:secret@example.com/x",)}, "holds a user"),
    ],
)
def test_what_cannot_be_run(given: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError) as caught:
        Schedule(**{"cron": "@daily", "tasks": (URL,), **given})

    assert why in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_queue_has_keda_or_a_schedule() -> None:
    with pytest.raises(UsageError, match="--autoscale and --schedule exclude each other"):
        small_spec(autoscale="keda", schedule=Schedule(cron="@daily", tasks=(URL,)))


def test_a_name_that_a_cron_job_cannot_have_is_said() -> None:
    with pytest.raises(UsageError, match="is too long for a CronJob"):
        render(small_spec(queue="q" * 45, schedule=Schedule(cron="@daily", tasks=(URL,))), ["workers"])


def test_a_table_on_a_volume_and_how_it_is_read_come_to_the_pod(tmp_path: Path) -> None:
    words = ["k8s", "submit", "app", "/data/rows.csv", "--type", "resize", "--id", "name", "--delimiter", ";"]
    done = CliRunner().invoke(app, [*words, "--schedule", "@daily", "--volume", "images", "--dry-run"])

    assert done.exit_code == 0, done.output
    *_, cron_job = yaml.safe_load_all(done.output)
    args = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert cron_job["metadata"]["name"] == "rows-schedule"
    assert args[-7:] == ["/data/rows.csv", "--type", "resize", "--id", "name", "--delimiter", ";"]
    # What the pod runs takes these words
    written = tmp_path / "spec.json"
    words = [str(written) if word.endswith("spec.json") else word for word in args]
    assert f"{written} cannot be read" in CliRunner().invoke(app, words).output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--time-zone", "UTC"], "--time-zone and --volume go with --schedule"),
        (["--schedule", "@daily"], "--schedule needs --tasks"),
        (["--schedule", "@daily", "--tasks", "tasks.jsonl"], "cannot be read in the cluster"),
    ],
)
def test_options_that_lack_another(words: list[str], why: str) -> None:
    done = CliRunner().invoke(app, ["k8s", "render", "app", *words])

    assert (done.exit_code, why in done.output) == (2, True)


def test_its_pod_reads_what_was_wanted_and_has_neither_the_workers_code_nor_their_memory() -> None:
    wanted, sections = SPECS["schedule"]
    found = render(wanted, sections)
    (kept,) = (
        each
        for each in found
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "images-schedule"
    )
    pod = found[-1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]

    assert msgspec.json.decode(kept["data"]["spec.json"], type=Spec) == msgspec.structs.replace(
        wanted, schedule=None
    )
    assert {volume["name"] for volume in pod["volumes"]} == {"tmp", "broker", "schedule", "data"}
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "256Mi"}
    assert pod["nodeSelector"] == {"disk": "ssd"}
