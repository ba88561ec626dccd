"""Following what is ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, cast

import pytest

from warrener.orders import following

if TYPE_CHECKING:
    from warrener.brokers import Broker


class Faulty:
    """A broker whose orders cannot be read, for a reason that is no broker's."""

    def noted(self, *_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError


async def test_what_nobody_expected_is_raised_and_not_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        async with following(cast("Broker", Faulty())):
            pass
