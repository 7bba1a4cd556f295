"""New terms of a contract take the place of the old ones for good."""

from __future__ import annotations

from dispatcher.model import Contract, Policy, Pool, Routing, Shop
from dispatcher.policy import Terms

HOUR = 3_600_000


def usable(*versions: Contract, topic: str = "", now_ms: int) -> int | None:
    """The version under which conversations may go to the pool "gold"; None: they may not."""
    pools = (Pool("gold", "g", "outsourced"), Pool("silver", "g", "outsourced"))
    terms = Terms(Routing((Shop("s", Policy(), "Asia/Shanghai"),), pools, versions, ()))
    contract, _ = terms.usable("s", "gold", topic, now_ms)
    return None if contract is None else contract.version


FIRST = Contract("c", 1, "s", "g", ("gold",), rank=1)


def test_the_newest_version_that_has_started_is_the_contract() -> None:
    second = Contract("c", 2, "s", "g", ("gold",), rank=2, starts_ms=HOUR)
    assert usable(FIRST, second, now_ms=HOUR - 1) == 1
    assert usable(FIRST, second, now_ms=HOUR) == 2


def test_what_the_newest_version_leaves_out_is_not_taken_from_an_older_one() -> None:
    ended = Contract("c", 2, "s", "g", ("gold",), starts_ms=HOUR, ends_ms=2 * HOUR)
    assert usable(FIRST, ended, now_ms=2 * HOUR - 1) == 2
    assert usable(FIRST, ended, now_ms=2 * HOUR) is None
    narrower = Contract("c", 2, "s", "g", ("gold",), topics=("returns",))
    assert usable(FIRST, narrower, topic="returns", now_ms=HOUR) == 2
    assert usable(FIRST, narrower, topic="sizes", now_ms=HOUR) is None
    elsewhere = Contract("c", 2, "s", "g", ("silver",))
    assert usable(FIRST, elsewhere, now_ms=HOUR) is None
