"""No option of `warrener k8s` is passed over in silence: it changes what is made, or is refused in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from warrener.cli.k8s.render import render
from warrener.cli.k8s.submit import submit
from warrener.cli.main import app

if TYPE_CHECKING:
    from pathlib import Path

URL: Final = "https://example.com/tasks.jsonl"
SUBMIT: Final = ("submit", "app", URL)
NIGHTLY: Final = (*SUBMIT, "--schedule", "@daily")
EXISTING: Final = ("--rabbitmq", "existing", "--broker-secret", "mq", "--broker-address", "amqp://mq")
_OF_TASKS: Final = "says which tasks each run of a --schedule has"
_MADE: Final = "is for a broker that is made, and this one exists: leave it out"

# A value for each option that takes one, other than its default.
VALUES: Final = {
    "queue": "other", "namespace": "other", "image": "i:1", "command": "true", "timeout": "5", "retries": "2",
    "parallelism": "7", "processes": "3", "threads": "3", "concurrency": "3", "max_memory": "100", "memory": "1Gi",
    "cpu": "1", "grace": "7", "deadline": "77", "ttl": "77", "rabbitmq": "operator", "broker_secret": "mq",
    "broker_address": "amqp://mq", "rabbitmq_image": "rabbitmq:4.2.0", "storage": "3Gi", "storage_class": "fast",
    "broker_memory": "3Gi", "broker_cpu": "2", "tls_secret": "mq-tls", "egress": "10.0.0.0/8", "autoscale": "keda",
    "kueue": "team", "output": "rows.jsonl", "form": "csv", "report_file": "report.html", "task_type": "echo",
    "id": "a", "priority": "a", "type_column": "a", "delimiter": ";", "invalid": "/data/invalid.jsonl",
    "max_failures": "5", "cron": "@hourly", "time_zone": "Europe/Vienna", "volume": "other", "tasks": "/data/b.jsonl",
}  # fmt: skip
# Where it is written, which cluster is asked, and which questions: they change nothing of what is made.
OF_NO_OBJECT: Final = {"sections", "context", "kubeconfig", "dry_run", "yes"}
_PARTS: Final = [word for part in ("broker", "setup", "check", "workers") for word in ("--section", part)]


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["k8s", *words])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((*NIGHTLY, "-o", "rows.jsonl"), "--output is for a batch that is waited for: the rows of each run"),
        ((*NIGHTLY, "--format", "csv"), "--format is for a batch that is waited for"),
        ((*NIGHTLY, "--report", "r.html"), "each run of a --schedule keeps one beside its rows, with --volume"),
        ((*NIGHTLY, "--share"), "--share is for a batch that runs now"),
        ((*NIGHTLY, "--fresh", "--yes"), "--fresh is for a batch that runs now: each run of a --schedule drops"),
        ((*NIGHTLY, "--invalid", "bad.jsonl"), "--invalid bad.jsonl cannot be written in the cluster"),
        ((*NIGHTLY, "--invalid", "/data/bad.jsonl"), "on the volume that --volume CLAIM names"),
        ((*NIGHTLY, "--max-failures", "many"), "'many' is no number of failures"),
        ((*SUBMIT, "--no-wait", "--max-failures", "5"), "--max-failures needs somebody who counts failures"),
        ((*SUBMIT, "--no-wait", "--report", "r.html"), "--report needs the end, and --no-wait leaves before it"),
        ((*SUBMIT, "--autoscale", "keda"), "--autoscale is for a queue that stands"),
        (("render", "--tasks", URL), f"--tasks {_OF_TASKS}"),
        (("render", "--type", "echo"), f"--type {_OF_TASKS}"),
        (("render", "--skip-invalid"), f"--skip-invalid {_OF_TASKS}"),
        (("render", "--max-failures", "5"), "--max-failures goes with --schedule"),
        (("render", *EXISTING, "--storage", "3Gi"), f"--storage {_MADE}"),
        (("up", *EXISTING, "--rabbitmq-image", "rabbitmq:4.2.0"), f"--rabbitmq-image {_MADE}"),
        (("up", *EXISTING, "--broker-cpu", "2"), f"--broker-cpu {_MADE}"),
    ],
)  # fmt: skip
def test_what_says_nothing_beside_others_is_refused(words: tuple[str, ...], sentence: str) -> None:
    for more in ((), ("--dry-run",)) if words[0] == "submit" else ((),):
        done = run(*words, *more)
        assert (done.exit_code, sentence in done.output) == (2, True), done.output


@pytest.mark.parametrize(
    ("verb", "words", "unheard"),
    [
        (submit, (*NIGHTLY, "--volume", "images", "--dry-run"), {"no_wait"}),
        (render, ("render", "app", *_PARTS), set()),
        (render, ("render", "app", *_PARTS, "--autoscale", "keda"), {"autoscale"}),
        (
            render,
            ("render", "app", *_PARTS, "--schedule", "@daily", "--tasks", "/data/a.jsonl", "--volume", "images"),
            set(),
        ),
    ],
    ids=["submit --schedule", "render", "render --autoscale", "render --schedule"],
)  # fmt: skip
def test_each_option_changes_what_is_made_or_is_refused(
    verb: click.Command, words: tuple[str, ...], unheard: set[str], tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text("pillow\n")
    (tmp_path / "patch.yaml").write_text("spec: {priorityClassName: low}\n")
    values = {"requirements": f"{tmp_path}/requirements.txt", "patch": f"{tmp_path}/patch.yaml"} | VALUES
    usual = run(*words)
    assert usual.exit_code == 0, usual.output
    written = {"output"} if verb is render else set()
    options = [option for option in verb.params if isinstance(option, click.Option)]
    passed_over = []
    for option in options:
        name = option.name or ""
        if name in OF_NO_OBJECT | unheard | written:
            continue
        done = run(*words, option.opts[0], *([] if option.is_flag else [values[name]]))
        assert done.exit_code in (0, 2), done.output
        if done.exit_code == 0 and list(yaml_of(done)) == list(yaml_of(usual)):
            passed_over.append(option.opts[0])
    assert passed_over == []


def yaml_of(done: Result) -> list[str]:
    """What is made, without what is said of it."""
    return [line for line in done.stdout.splitlines() if not line.lstrip().startswith("#")]


def test_a_limit_of_failures_comes_to_the_pod() -> None:
    *_, cron_job = yaml.safe_load_all(run(*NIGHTLY, "--max-failures", "5%", "--dry-run").stdout)

    args = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args[args.index("--max-failures") + 1] == "5%"
    assert "'5%' is no" not in run(*args[1:]).output  # which takes it
