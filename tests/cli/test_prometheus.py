"""What a real Prometheus makes of a real worker: its numbers, the dashboard's queries and the alerts."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any, Final

from tests.batch import APP, eventually
from tests.prometheus import Prometheus, promtool
from tests.scrape import page, port_of, queries

if TYPE_CHECKING:
    from pathlib import Path

    from tests.place import Place

RULES: Final = files("warrener.metrics") / "prometheus" / "alerts.yaml"
TASKS: Final = 'warrener_tasks_total{queue="q",type="t",outcome="%s"}'
READY: Final = 'warrener_queue_tasks{queue="q",state="ready",route=""}'
SLOTS: Final = 'warrener_slots{queue="q",state="%s"}'
# By what is alerted, which series have which values at each minute, in PromQL's own notation; then when nothing is.
ALERTS: Final[dict[str, tuple[dict[str, str], dict[str, str]]]] = {
    "WarrenerStandsStill": (
        {READY: "5x60", SLOTS % "free": "2x60", SLOTS % "busy": "0x60", TASKS % "completed": "7x60"},
        {READY: "5x60", SLOTS % "free": "2x60", SLOTS % "busy": "0x60", TASKS % "completed": "7+1x60"},
    ),
    "WarrenerNobodyWorks": (
        {READY: "5x60"},
        {READY: "5x60", SLOTS % "busy": "2x60"},
    ),
    "WarrenerTasksFail": (
        {TASKS % "completed": "0+8x60", TASKS % "failed": "0+2x60"},
        {TASKS % "completed": "0+99x60", TASKS % "failed": "0+1x60"},
    ),
    "WarrenerTasksCrash": (
        {'warrener_failures_total{queue="q",reason="crashed"}': "0x50 1x10"},
        {'warrener_failures_total{queue="q",reason="permanent"}': "0x50 1x10"},
    ),
    "WarrenerTasksRetry": (
        {TASKS % "completed": "0+1x60", TASKS % "delayed": "0+3x60"},
        {TASKS % "completed": "0+3x60", TASKS % "delayed": "0+1x60"},
    ),
    "WarrenerBrokerSlow": (
        {
            'warrener_confirm_seconds_bucket{queue="q",le="1"}': "0x60",
            'warrener_confirm_seconds_bucket{queue="q",le="2.5"}': "0+9x60",
            'warrener_confirm_seconds_bucket{queue="q",le="+Inf"}': "0+9x60",
        },
        {
            'warrener_confirm_seconds_bucket{queue="q",le="1"}': "0+9x60",
            'warrener_confirm_seconds_bucket{queue="q",le="2.5"}': "0+9x60",
            'warrener_confirm_seconds_bucket{queue="q",le="+Inf"}': "0+9x60",
        },
    ),
}


def test_each_alert_fires_for_what_it_says_and_for_nothing_else(tmp_path: Path) -> None:
    tests = []
    for name, both in ALERTS.items():
        for series, fires in zip(both, (1, 0), strict=True):
            check: dict[str, Any] = {
                "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}})',
                "eval_time": "55m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
            given = [{"series": name, "values": values} for name, values in series.items()]
            tests.append({"interval": "1m", "input_series": given, "promql_expr_test": [check]})
    with as_file(RULES) as rules:
        made = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}
        (tmp_path / "tests.yaml").write_text(json.dumps(made))
        checked = promtool("check", "rules", str(rules))
        tested = promtool("test", "rules", str(tmp_path / "tests.yaml"))
    assert checked.returncode == 0, checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout
    assert tested.returncode == 0, tested.stderr + tested.stdout


async def test_prometheus_reads_a_worker_and_each_query_finds_something(place: Place) -> None:
    late = str(place.path / "late")
    tasks: list[dict[str, Any]] = [{"type": "echo", "id": f"good-{n}"} for n in range(20)]
    tasks += [{"type": "permanent", "id": "bad"}]
    tasks += [{"type": "fail_until", "id": "late", "data": {"file": late, "times": 1}}]
    place.warrener("publish", place.tasks(tasks))
    worker = place.begin("work", APP, "--metrics-port", "0")
    port = await port_of(worker)
    with as_file(RULES) as rules, Prometheus(place.path / "prometheus", port, rules) as prometheus:
        await eventually(prometheus.is_there)

        async def has_all() -> bool:
            found = prometheus.query("min_over_time(sum(warrener_tasks_total)[3s:1s]) == 23")
            return bool(found) and bool(prometheus.query("sum(rate(warrener_tasks_total[1m]))"))

        await eventually(has_all)
        for expression in queries():
            assert prometheus.query(expression), expression

        async def are_evaluated() -> bool:
            (group,) = prometheus.ask("rules")["groups"]
            return all(rule["health"] != "unknown" for rule in group["rules"])

        await eventually(are_evaluated)
        (group,) = prometheus.ask("rules")["groups"]
        assert {(rule["name"], rule["health"]) for rule in group["rules"]} == {
            (name, "ok") for name in ALERTS
        }
    checked = promtool("check", "metrics", text=(await page(port, "/metrics"))[1])
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
