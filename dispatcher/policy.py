"""Which pools a shop may use now, in which order, and when the search widens. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dispatcher.decisions import PoolSeen
from dispatcher.hours import local_day, open_at
from dispatcher.model import (
    AgentRule,
    Contract,
    Id,
    Policy,
    Pool,
    Routing,
    Seat,
    Shop,
    Stage,
    TopicRule,
    Trigger,
    in_language,
    spoken,
)

Verdict = PoolSeen.__annotations__["verdict"]
_DEFAULT_TOPIC = TopicRule("")
_RESTS = ("bot", "message_box")
"""Pools in which nobody sits."""
_AT_ONCE = ("no_free_slot", "outside_hours", "paused")


@dataclass(slots=True)
class Measures:
    """What triggers look at, for one shop and the pools it has reached."""

    any_usable: bool
    predicted_ms: int
    waiting: int
    oldest_ms: int
    in_target_per_mille: int
    paused: bool


def _value(trigger: Trigger, seen: Measures) -> int:
    if trigger.kind == "ewt":
        return seen.predicted_ms
    if trigger.kind == "queue_len":
        return seen.waiting
    if trigger.kind == "oldest":
        return seen.oldest_ms
    return 1_000 - seen.in_target_per_mille  # service_level: how far below full


def holds(trigger: Trigger, seen: Measures, opened_ms: int | None, now_ms: int) -> bool:
    """Whether the trigger is open, given when it opened last (None: it is shut)."""
    if trigger.kind == "no_free_slot":
        return True  # asked only when no slot was found
    if trigger.kind == "outside_hours":
        return not seen.any_usable
    if trigger.kind == "paused":
        return seen.paused
    above, clear = trigger.above, trigger.clear_below
    if trigger.kind == "service_level":
        above, clear = 1_000 - above, None if clear is None else 1_000 - clear
    value = _value(trigger, seen)
    if value > above:
        return True
    if opened_ms is None:
        return False
    if now_ms - opened_ms < trigger.hold_ms:
        return True
    return clear is not None and value >= clear


class Terms:
    """Routing, indexed. Answers about time are remembered for the minute they are asked in."""

    def __init__(self, routing: Routing) -> None:
        self.routing = routing
        self.shops: dict[Id, Shop] = {shop.id: shop for shop in routing.shops}
        self.pools: dict[Id, Pool] = {pool.id: pool for pool in routing.pools}
        self.bounded = any(pool.waiting_max is not None for pool in routing.pools)
        self._topics = {shop.id: {rule.topic: rule for rule in shop.policy.topics} for shop in routing.shops}
        self._contracts: dict[tuple[Id, Id], list[Contract]] = {}
        self._versions: dict[Id, list[Contract]] = {}
        for contract in sorted(routing.contracts, key=lambda c: (c.shop, c.rank, c.id, -c.version)):
            self._versions.setdefault(contract.id, []).append(contract)
            for pool in contract.pools:
                self._contracts.setdefault((contract.shop, pool), []).append(contract)
        self._sharing: dict[Id, set[Id]] = {}
        for contract in routing.contracts:
            self._sharing.setdefault(contract.id, set()).add(contract.shop)
        self._stages: dict[Id, tuple[tuple[Id, ...], ...]] = {
            shop.id: tuple(self._pools_of(shop, stage) for stage in shop.policy.stages) for shop in routing.shops
        }
        self._ruled: dict[Id, tuple[Id, ...]] = {
            shop.id: tuple(
                dict.fromkeys(
                    pool
                    for c in sorted(routing.contracts, key=lambda c: (c.rank, c.id, c.version))
                    if c.shop == shop.id and c.overflow is not None
                    for pool in c.pools
                    if pool in self.pools
                )
            )
            for shop in routing.shops
        }
        """Pools of contracts with overflow rules of their own, in any version; which holds now, ``ruled`` says."""
        self.every_pool: dict[Id, tuple[Id, ...]] = {
            shop: tuple(dict.fromkeys((*(pool for stage in stages for pool in stage), *self._ruled[shop])))
            for shop, stages in self._stages.items()
        }
        self.ruling = {shop: bool(pools) for shop, pools in self._ruled.items()}
        """Shops with such a contract."""
        self.capped = any(rule.waiting_max is not None for shop in routing.shops for rule in shop.policy.topics)
        self._reached = {shop.id: self._reach(shop) for shop in routing.shops}
        self._rests: dict[Id, tuple[tuple[Pool, ...], ...]] = {}
        for shop in routing.shops:
            found = [self._rests_of(shop, stage) for stage in shop.policy.stages]
            upto = (tuple(pool for one in found[: n + 1] for pool in one) for n in range(len(found)))
            self._rests[shop.id] = tuple(upto) if any(found) else ()
        self.rested = any(self._rests.values())
        self._boxes: dict[Id, tuple[Pool, ...]] = {}
        for one in routing.pools:
            if one.kind == "message_box" and one.shop is not None:
                self._boxes[one.shop] = (*self._boxes.get(one.shop, ()), one)
        named = {one.id: {spoken(tongue) for tongue in one.languages} for one in routing.pools}
        for seat in routing.seats:
            for in_pool in seat.pools:
                named.setdefault(in_pool, set()).update(spoken(one) for one in seat.languages)
        self._every_language = frozenset(one for those in named.values() for one in those)
        self._languages: dict[Id, frozenset[str]] = {
            shop: frozenset(one for pool in every for one in named.get(pool, ()))
            for shop, every in self.every_pool.items()
        }
        self._certified = {(c.contract, c.version, c.agent): c.until_ms for c in routing.certificates}
        self._grouped = {(g.shop, g.provider, agent) for g in routing.groups for agent in g.agents}
        self.measured: dict[Id, bool] = {
            shop.id: any(t.kind not in _AT_ONCE for stage in shop.policy.stages for t in stage.enter_if)
            or any(
                t.kind not in _AT_ONCE
                for c in routing.contracts
                if c.shop == shop.id and c.overflow is not None
                for t in c.overflow.any_of
            )
            for shop in routing.shops
        }
        """Shops with a trigger that looks at length, age or level, which must be asked again by the clock."""
        self._minute = -1
        self._usable: dict[tuple[Id, Id, str], tuple[Contract | None, str]] = {}
        self._rules_now: dict[tuple[Id, Id], Contract | None] = {}
        self._days: dict[str, int] = {}

    def _pools_of(self, shop: Shop, stage: Stage) -> tuple[Id, ...]:
        if isinstance(stage.pools, tuple):
            return tuple(pool for pool in stage.pools if pool in self.pools and self.pools[pool].kind not in _RESTS)
        if stage.pools in _RESTS:
            return ()
        if stage.pools == "own":
            return tuple(
                sorted(pool.id for pool in self.pools.values() if pool.kind == "in_house" and pool.shop == shop.id)
            )
        mine = [c for c in self.routing.contracts if c.shop == shop.id]
        if stage.pools == "preferred":
            first = min((c.rank for c in mine), default=0)
            mine = [c for c in mine if c.rank == first]
        mine.sort(key=lambda c: (c.rank, c.id))
        return tuple(dict.fromkeys(pool for c in mine for pool in c.pools if pool in self.pools))

    def _reach(self, shop: Shop) -> tuple[tuple[Id, ...], ...]:
        found: list[tuple[Id, ...]] = []
        pools: tuple[Id, ...] = ()
        for stage, more in zip(shop.policy.stages, self._stages[shop.id], strict=True):
            pools = more if stage.mode == "transfer" else (*pools, *(pool for pool in more if pool not in pools))
            found.append(pools)
        return tuple(found)

    def reached(self, shop: Id, stage: int) -> tuple[Id, ...]:
        """The pools of the stages up to this one, but for those that a ``transfer`` gave up."""
        reached = self._reached[shop]
        return reached[stage] if reached else ()

    def _rests_of(self, shop: Shop, stage: Stage) -> tuple[Pool, ...]:
        mine = sorted((pool for pool in self.pools.values() if pool.shop == shop.id), key=lambda pool: pool.id)
        if isinstance(stage.pools, tuple):
            return tuple(pool for pool in mine if pool.kind in _RESTS and pool.id in stage.pools)
        return tuple(pool for pool in mine if pool.kind == stage.pools)

    def rests(self, shop: Id, stage: int) -> tuple[Pool, ...]:
        """The bots and message boxes that the stages up to this one lead to."""
        return self._rests[shop][stage] if self._rests[shop] else ()

    def boxes(self, shop: Id) -> tuple[Pool, ...]:
        """The message boxes that the shop has written down; none: it has the usual one, always open."""
        return self._boxes.get(shop, ())

    def speaks(self, shop: Id, language: str) -> bool:
        """Whether somebody in a pool of the shop is said to speak it."""
        return language in self._languages[shop]

    def skills_of(self, seat: Seat) -> frozenset[str]:
        """What ``Conversation.skill`` may ask of him: his skills, and each in every language that he speaks."""
        own = seat.languages or tuple(
            one for pool in seat.pools if pool in self.pools for one in self.pools[pool].languages
        )
        every = {spoken(one) for one in own} or self._every_language
        return frozenset(seat.skills) | {in_language(skill, one) for skill in ("", *seat.skills) for one in every}

    def policy(self, shop: Id) -> Policy:
        return self.shops[shop].policy

    def topic(self, shop: Id, topic: str) -> TopicRule:
        rules = self._topics[shop]
        return rules.get(topic) or rules.get("") or _DEFAULT_TOPIC

    def stage_pools(self, shop: Id, stage: int) -> tuple[Id, ...]:
        return self._stages[shop][stage]

    def ruled(self, shop: Id, now_ms: int) -> list[tuple[Id, Contract]]:
        """The pools whose contract in force says itself when they are asked, by rank."""
        pools = self._ruled[shop]
        if not pools:
            return []
        found = ((pool, self.ruled_by(shop, pool, now_ms)) for pool in pools)
        return [(pool, contract) for pool, contract in found if contract is not None]

    def ruled_by(self, shop: Id, pool: Id, now_ms: int) -> Contract | None:
        """The contract in force that says itself when the pool is asked; None: the policy's stages say it."""
        if pool not in self._ruled[shop]:
            return None
        if now_ms // 60_000 != self._minute:
            self._fresh(now_ms)
        key = (shop, pool)
        if key not in self._rules_now:
            held = (c for c in self._contracts.get(key, ()) if self._in_force(c, now_ms))
            self._rules_now[key] = next((c for c in held if c.overflow is not None), None)
        return self._rules_now[key]

    def rules_by_pool(self) -> dict[Id, tuple[AgentRule, ...]]:
        found: dict[Id, set[AgentRule]] = {pool: set() for pool in self.pools}
        for shop in self.shops.values():
            for pool in self.every_pool[shop.id]:
                found[pool].add(shop.policy.agent_rule)
        return {pool: tuple(sorted(rules)) for pool, rules in found.items()}

    def _fresh(self, now_ms: int) -> None:
        self._minute = now_ms // 60_000
        self._usable.clear()
        self._rules_now.clear()
        self._days.clear()

    def day(self, shop: Id, now_ms: int) -> int:
        if now_ms // 60_000 != self._minute:
            self._fresh(now_ms)
        day = self._days.get(shop)
        if day is None:
            day = self._days[shop] = local_day(self.shops[shop].tz, now_ms)
        return day

    def usable(self, shop: Id, pool: Id, topic: str, now_ms: int) -> tuple[Contract | None, str]:
        """(contract, "") when conversations of this shop may go to the pool now; else ("" is) why not.

        Daily limits are counted by the caller. An in-house pool needs no contract.
        """
        if now_ms // 60_000 != self._minute:
            self._fresh(now_ms)
        key = (shop, pool, topic)
        found = self._usable.get(key)
        if found is None:
            found = self._usable[key] = self._judge(shop, pool, topic, now_ms)
        return found

    def bars(self, contract: Contract | None, agent: Id, now_ms: int) -> str:
        """Why the contract keeps this agent from its shop's conversations now: ``not_in_group``, ``not_certified``;
        ``""``: it does not."""
        if contract is None:
            return ""
        if contract.dedicated and (contract.shop, contract.provider, agent) not in self._grouped:
            return "not_in_group"
        if contract.certified and self._certified.get((contract.id, contract.version, agent), 0) <= now_ms:
            return "not_certified"
        return ""

    def serves(self, shop: Id, pool_id: Id, now_ms: int) -> bool:
        """Whether the pool's people may hold this shop's conversations: its own pool, or one with a contract in force.

        Hours, topics and a pause say what may come to them, not what they have already.
        """
        pool = self.pools.get(pool_id)
        if pool is None or pool.kind == "in_house":
            return True
        return any(self._in_force(contract, now_ms) for contract in self._contracts.get((shop, pool_id), ()))

    def sharing(self, contract: Contract) -> set[Id]:
        """The shops among which the contract's volumes are counted."""
        return self._sharing[contract.id]

    def next_turn_ms(self, now_ms: int) -> int | None:
        """When the next version of a contract begins or ends; what was remembered of the time before is forgotten."""
        self._usable.clear()
        self._rules_now.clear()
        turns = [ms for c in self.routing.contracts for ms in (c.starts_ms, c.ends_ms) if ms is not None]
        return min((ms for ms in turns if ms > now_ms), default=None)

    def _judge(self, shop: Id, pool_id: Id, topic: str, now_ms: int) -> tuple[Contract | None, str]:
        pool = self.pools.get(pool_id)
        if pool is None or pool.state != "open":
            return None, "closed"
        if not open_at(pool.hours, now_ms) or not open_at(self.shops[shop].hours, now_ms):
            return None, "outside_hours"
        rule = self.topic(shop, topic)
        if not open_at(rule.hours, now_ms):
            return None, "outside_hours"
        skill = rule.skill
        if skill and pool.skills and skill not in pool.skills:
            return None, "skill"
        if pool.kind == "in_house":
            return (None, "") if pool.shop == shop else (None, "no_contract")
        why = "no_contract"
        for contract in self._contracts.get((shop, pool_id), ()):
            if not self._in_force(contract, now_ms):
                continue
            if contract.topics and topic not in contract.topics:
                continue
            if contract.skills and skill not in contract.skills:
                why = "skill"
            elif contract.standing == "suspended":
                why = "suspended"
            elif contract.paused:
                why = "paused"
            elif not open_at(contract.hours, now_ms):
                why = "outside_hours"
            else:
                return contract, ""
        return None, why

    def _in_force(self, contract: Contract, now_ms: int) -> bool:
        """The newest version that has started is the contract: when it ends, the one before does not come back."""
        if contract.starts_ms > now_ms or (contract.ends_ms is not None and contract.ends_ms <= now_ms):
            return False
        return not any(v.version > contract.version and v.starts_ms <= now_ms for v in self._versions[contract.id])


DEFICIT_MAX = 20_000
"""Thousandths of a conversation that a pool may be behind or ahead of its share, so that nobody is flooded."""


def weight(pool: Pool, contract: Contract | None) -> int:
    """Its part of what it shares with its equals; 0: it keeps no share."""
    return pool.share_weight if contract is None or contract.share_weight is None else contract.share_weight


def deal(
    deficits: dict[tuple[Id, Id], int], shop: Id, chosen: Id, pools: Sequence[tuple[Pool, Contract | None, int]]
) -> None:
    """Deficit round robin: each of the pools is due its part of the conversation that ``chosen`` got."""
    weights = {pool.id: weight(pool, contract) for pool, contract, _ in pools}
    total = sum(weights.values())
    if not weights.get(chosen):
        return  # it went outside of the shares
    for id_, part in weights.items():
        if part:
            due = deficits.get((shop, id_), 0) + 1_000 * part // total - (1_000 if id_ == chosen else 0)
            deficits[shop, id_] = max(-DEFICIT_MAX, min(DEFICIT_MAX, due))


def rank_pools(
    policy: Policy,
    pools: Sequence[tuple[Pool, Contract | None, int]],
    levels: Mapping[Id, int] | None = None,
    deficits: Mapping[tuple[Id, Id], int] = MappingProxyType({}),
    shop: Id = "",
) -> list[tuple[int, Pool, Contract | None]]:
    """Usable pools with what was used of each contract today, best first. The score that decided stands in front.

    By ``rank``: the shop's own, then contracts by rank; one that is owed volume goes before its equals, then who is
    furthest behind its share, then price. By ``value``: expected margin of a conversation there, less its price, plus a
    bonus while volume is owed and for each conversation that it is behind its share. ``levels``: how many others its
    agent would have there; each makes a conversation less likely to sell. Who is on probation comes last.
    """
    scored: list[tuple[tuple[int, ...], Id, int, Pool, Contract | None]] = []
    for pool, contract, used in pools:
        price = contract.price_fen if contract else 0
        owed = contract is not None and used < contract.daily_min
        rank = contract.rank if contract else 0
        probation = contract is not None and contract.standing == "probation"
        behind = deficits.get((shop, pool.id), 0)
        if policy.pool_rule == "value" and pool.convert_per_mille:
            left = max(0, 1_000 - policy.crowd_per_mille * (levels or {}).get(pool.id, 0))
            worth = pool.convert_per_mille * policy.margin_fen * left // 1_000_000
            value = worth - price + policy.commit_bonus_fen * owed + policy.commit_bonus_fen * behind // 1_000
            scored.append(((probation, -value, rank), pool.id, value, pool, contract))
        else:
            key = (probation, rank, 0 if owed else 1, -behind, price)
            scored.append((key, pool.id, rank, pool, contract))
    scored.sort(key=lambda row: (row[0], row[1]))
    return [(shown, pool, contract) for _, _, shown, pool, contract in scored]
