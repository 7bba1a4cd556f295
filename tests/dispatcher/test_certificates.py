"""Who is not certified for a shop gets none of its shoppers, where the contract asks for it; and it is said why."""

from __future__ import annotations

from dataclasses import replace

from dispatcher import events as ev
from dispatcher.decisions import Assign, MakeOffer, Refuse, RevokeOffer
from dispatcher.model import Certificate, Group, Policy, Routing
from tests.dispatcher.floor_plan import START, Driver, assigned, of, world

DAY = 86_400_000


def certified(*agents: str, until: int = DAY, **more: object) -> Routing:
    """Two seats in the outsourced pool; these agents have passed what its contract asks."""
    routing = world(own=0, gold=2, contracts=({"certified": True, **more}, {}))
    return replace(routing, certificates=tuple(Certificate("cg", 1, agent, START + until) for agent in agents))


def test_who_is_not_certified_is_passed_over_and_named_with_the_reason() -> None:
    d = Driver(certified("gold2"))
    d.ready()
    (first,) = of(d.ask("a"), Assign)
    assert first.agent == "gold2"
    assert [(one.agent, one.barred) for one in first.candidates] == [("gold2", ""), ("gold1", "not_certified")]
    assert d.ask("b") is not None
    assert d.state_of("b") == "waiting"
    assert [one.verdict for one in d.core.floor.conversations["b"].seen if one.pool == "gold"] == ["not_certified"]


def test_who_passes_gets_at_once_who_waits() -> None:
    d = Driver(certified())
    d.ready()
    d.ask("a")
    assert d.state_of("a") == "waiting"
    assert assigned(d.change(certified("gold1"))) == {"a": "gold1"}


def test_a_certificate_ends_by_its_time_and_by_revocation_but_what_he_has_he_finishes() -> None:
    d = Driver(certified("gold1", until=60_000))
    d.ready()
    assert assigned(d.ask("a")) == {"a": "gold1"}
    d.wait(60_000)
    d.close("a")
    assert d.ask("b") is not None
    assert d.state_of("b") == "waiting"
    d.change(certified("gold1"))
    assert d.agent_of("b") == "gold1"
    d.change(certified())
    assert d.agent_of("b") == "gold1"
    d.close("b")
    d.ask("c")
    assert d.state_of("c") == "waiting"


def test_no_way_around_claim_transfer_or_return_leads_to_who_is_not_certified() -> None:
    d = Driver(certified("gold1"))
    d.ready()
    d.ask("a")
    d.ask("b")
    wishes: list[tuple[ev.Event, str]] = [
        (ev.Claimed("b", "gold2", False, "r"), "claim.not_certified"),
        (ev.TransferRequested("a", "gold1", 1, to_agent="gold2", ref="r"), "transfer.not_certified"),
    ]
    for wish, code in wishes:
        assert [one.code for one in of(d.do(wish), Refuse)] == [code], wish
    d.do(ev.QueueLeft("b"))
    d.do(ev.ShopperIdle("a", 200_000))
    assert d.state_of("a") == "parked"
    d.change(certified("gold2"))
    assert assigned(d.do(ev.ShopperReturned("a"))) == {"a": "gold2"}


def test_an_offer_in_the_air_is_not_accepted_after_the_certificate_went() -> None:
    offering = Policy(answer="offer")
    with_offers = replace(certified("gold1"), shops=(replace(certified().shops[0], policy=offering),))
    d = Driver(with_offers)
    d.ready()
    (offer,) = of(d.ask("a"), MakeOffer)
    d.change(replace(with_offers, certificates=()))
    made = d.do(ev.OfferAnswered("a", "gold1", offer.epoch, True, "r"))
    assert [one.code for one in of(made, Refuse)] == ["offer.gone"]
    assert of(made, RevokeOffer)
    assert d.state_of("a") == "waiting"


def test_where_nobody_present_is_certified_the_shopper_is_told_so_as_if_nobody_were_there() -> None:
    d = Driver(certified())
    d.ready()
    d.ask("a")
    d.wait(20_000)
    assert d.state_of("a") == "message_box"


def test_a_dedicated_contract_leads_to_the_project_group_alone() -> None:
    routing = world(own=0, gold=2, contracts=({"dedicated": True}, {}))
    d = Driver(replace(routing, groups=(Group("s", "g", ("gold2",)), Group("other", "g", ("gold1",)))))
    d.ready()
    (first,) = of(d.ask("a"), Assign)
    assert first.agent == "gold2"
    assert [one.barred for one in first.candidates] == ["", "not_in_group"]
    d.ask("b")
    assert [one.code for one in of(d.do(ev.Claimed("b", "gold1", False, "r")), Refuse)] == ["claim.not_in_group"]


def test_a_contract_that_asks_for_nothing_is_served_as_ever() -> None:
    d = Driver(world(own=0, gold=1))
    d.ready()
    assert assigned(d.ask("a")) == {"a": "gold1"}
