"""Asks what a worker serves."""

from __future__ import annotations

import asyncio
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client.samples import Sample

    from tests.place import Running


async def asked(port: int, request: bytes) -> bytes:
    """The whole answer to a request; empty where it was sent away."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def page(port: int, path: str) -> tuple[int, str]:
    """The status and the body of a page."""
    answer = await asked(port, f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
    head, _, body = answer.decode().partition("\r\n\r\n")
    return int(head.split(" ")[1]), body


async def scraped(port: int) -> dict[str, list[Sample]]:
    """All samples by the name of their metric, a counter's with `_total`."""
    status, body = await page(port, "/metrics")
    assert status == 200, body
    families = text_string_to_metric_families(body)
    return {
        f"{family.name}_total" if family.type == "counter" else family.name: family.samples
        for family in families
    }


async def port_of(worker: Running) -> int:
    """Where a worker serves, once it does."""
    await worker.says("serves /metrics, /livez and /readyz on port ")
    found = re.search(r"on port (\d+) of ", worker.said)
    assert found
    return int(found[1])


def queries() -> list[str]:
    """All expressions of the dashboard, about every queue and type."""
    text = (files("warrener.metrics") / "prometheus" / "dashboard.json").read_text("utf-8")
    found = [target["expr"] for panel in json.loads(text)["panels"] for target in panel["targets"]]
    values = {"$queue": ".*", "$type": ".*", "$__rate_interval": "1m"}
    return [re.sub(r"\$\w+", lambda name: values[name[0]], expression) for expression in found]


def total(samples: list[Sample], **labels: str) -> float:
    """What the samples with these labels come to."""
    return sum(sample.value for sample in samples if _has(sample.labels, labels))


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= labels.items()
