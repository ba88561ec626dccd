"""Options, whoever wrote them: a value, or a sentence of ours that holds no password."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.fuzz.strategies import is_sentence, texts
from warrener.address import Address
from warrener.errors import UsageError
from warrener.kubernetes.manifests.names import object_names
from warrener.kubernetes.manifests.spec import Spec
from warrener.kubernetes.quantities import quantity
from warrener.retry import MAX_DELAY, RetryPolicy

SECRET = "sEcReT"
_odd = st.text(st.sampled_from("/?#[]@:%\\&=1 ü\u2100\n\0\ud800"), max_size=4)
_schemes = st.sampled_from(["amqp://", "amqps://", "http://", "amqp:", "k8s:", "sqlite:", "file:", ""])
brokers = texts | st.tuples(_schemes, texts).map("".join)


@given(brokers, texts | st.just("work-queue"), st.none() | texts)
@example("file:\0", "q", None)
@example("sqlite:\0", "q", None)
@example("amqp://host/\ud800", "q", None)
@example("amqp://[::1", "q", None)
@example("amqp://host", "q", "http://[::1")
@example("amqp://host", "q", "http://host:port")
def test_address_is_one_or_refused_in_one_sentence(broker: str, queue: str, management: str | None) -> None:
    assume(not broker.startswith("file:") or "\0" in broker)  # what is in a file is an address again
    try:
        address = Address(broker, queue, management)
    except UsageError as error:
        assert is_sentence(str(error)) or len(queue) > 200
        return
    assert address.shown
    address.flags()
    if address.is_embedded:
        assert address.path
    elif address.place is None:
        assert address.on("a/b").vhost == "a/b"
        assert address.management_url.startswith("http")
        assert address.credentials
        assert address.vhost
        address.authority  # noqa: B018 - it must not raise


@given(_odd, _odd, st.sampled_from(["host", "host:5672", "[::1]", "[::1]:5672"]), _odd)
@example("", "/", "host", "")
@example("1/", "", "host", "vhost")
@example("1#", "", "host", "")
@example("1?", "", "host", "")
@example("[", "]", "host", "")
@example("", "\u2100", "host", "")
def test_password_is_never_told(before: str, after: str, host: str, vhost: str) -> None:
    broker = f"amqp://user:{before}{SECRET}{after}@{host}/{vhost}"
    try:
        address = Address(broker)
    except UsageError as error:
        assert SECRET not in str(error)
        return
    assert address.credentials[1].count(SECRET) == 1
    for told in (address.shown, address.flags(), address.management_url, address.vhost):
        assert SECRET not in told


@pytest.mark.parametrize("broken", ["amqp://user:1/x@host/v", "amqp://user:1#x@host", "amqp://user:1?x@host"])
def test_unescaped_password_is_not_taken_for_a_port(broken: str) -> None:
    with pytest.raises(UsageError, match="%XX"):
        Address(broken)


@pytest.mark.parametrize("management", [f"http://user:{SECRET}@host:15672", f"http://host:{SECRET}", SECRET])
def test_management_address_has_no_password_and_is_not_repeated(management: str) -> None:
    with pytest.raises(UsageError, match="without user and password") as caught:
        Address("amqp://host", management=management)
    assert SECRET not in str(caught.value)


@given(st.integers(), st.floats() | st.integers())
def test_retry_policy_is_one_or_refused(retries: int, base: float) -> None:
    try:
        policy = RetryPolicy(retries, base)
    except UsageError as error:
        assert is_sentence(str(error)[:1000])
        return
    assert all(0 < delay <= MAX_DELAY * 1000 for delay in policy.delays())
    assert policy.delays() == sorted(policy.delays())


@given(
    texts
    | st.from_regex(r"[0-9.]{1,40}(m|k|Ki|Gi|E|Ei|e-?[0-9]{1,3})?", fullmatch=True)
    | st.integers()
    | st.floats()
)
@example("\N{ARABIC-INDIC DIGIT THREE}Gi")
@example("9" * 2_000_000 + "E")
@example("1e99")
def test_quantity_is_a_number_or_none(text: object) -> None:
    found = quantity(text)
    assert found is None or (found.is_finite() and found >= 0)


def test_digits_that_kubernetes_does_not_know_are_none() -> None:
    assert quantity("\N{ARABIC-INDIC DIGIT THREE}Gi") is None
    assert quantity("1.5Gi") == Decimal(3 * 2**29)


_PLANS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(
        (
            "queue",
            "namespace",
            "image",
            "rabbitmq",
            "broker_secret",
            "broker_address",
            "rabbitmq_image",
            "storage_class",
            "tls_secret",
            "kueue",
            "autoscale",
        ),
        texts,
    ),
    **dict.fromkeys(("memory", "cpu", "storage", "broker_memory", "broker_cpu"), texts),
    **dict.fromkeys(("parallelism", "processes", "grace", "deadline", "ttl", "round"), st.integers()),
    "egress": st.lists(texts, max_size=2).map(tuple),
}


@given(st.sampled_from(sorted(_PLANS)).flatmap(lambda name: st.tuples(st.just(name), _PLANS[name])))
@example(("egress", ("\N{SNOWMAN}",)))
def test_each_option_of_a_plan_is_taken_or_refused_in_a_sentence(option: tuple[str, Any]) -> None:
    name, value = option
    more = {"rabbitmq": "existing", "broker_secret": "s"} if name.startswith("broker_") else {}
    if name != "broker_memory" and more:
        more["broker_address"] = "amqp://host"
    try:
        spec = Spec(**(more | {name: value}))
    except UsageError as error:
        assert str(error).isprintable()
        return
    assert spec.rabbitmq_version
    assert spec.broker.shown


@given(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,70}", fullmatch=True))
def test_any_queue_has_names_in_kubernetes_or_a_sentence(queue: str) -> None:
    try:
        names = object_names(queue)
    except UsageError as error:
        assert is_sentence(str(error))
        return
    longest = f"{names.workers(99)}-999"
    assert len(longest) <= 63
    assert longest.strip("-") == longest
