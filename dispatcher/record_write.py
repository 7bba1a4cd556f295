"""Commits decisions: moves, assignments, seats, facts for others; and gathers what is to be told afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dispatcher import decisions as de
from dispatcher.ability_record import keep_fits
from dispatcher.assignments import Assignments
from dispatcher.model import Routing
from dispatcher.moves import At, Diverged, Move, apply_moves
from dispatcher.record_guard import write_callbacks, write_guarded
from dispatcher.record_load import locked
from wangxin.model.conversation import State
from wangxin.model.facts import AnyFact, ConversationClosed, parse_fact
from wangxin.storage import accounts
from wangxin.storage.postgres import Connection


@dataclass(slots=True)
class Told:
    """What people should hear once the transaction has committed."""

    grown: set[tuple[UUID, UUID]] = field(default_factory=set)
    agents: set[UUID] = field(default_factory=set)
    to_people: list[tuple[UUID, dict[str, Any]]] = field(default_factory=list)
    waiting: dict[str, UUID] = field(default_factory=dict)
    """Who joined a line, with his thread."""
    shops: set[str] = field(default_factory=set)
    """Shops whose line of waiting conversations changed."""
    facts: list[AnyFact] = field(default_factory=list)
    """What others follow up; the caller writes it into the outbox, in the same transaction."""


class Writer:
    """Turns decisions into rows. ``offered``: conversations that are on offer in the record."""

    def __init__(self, routing: Routing, offered: Iterable[str] = ()) -> None:
        self.offered = set(offered)
        self._names = {seat.agent: seat.name for seat in routing.seats}
        self._personas: dict[tuple[str, str], str] = {}
        self._caps = {seat.agent: seat.seats_max for seat in routing.seats}
        self._providers = {pool.id: pool.provider for pool in routing.pools}

    async def write(
        self, conn: Connection, made: Sequence[de.Decision], now_ms: int, heard_ms: Mapping[str, int] | None = None
    ) -> Told:
        """Everything in the caller's transaction. Raises Diverged when the record has moved on.

        ``heard_ms``: when a person last wrote, by conversation, as the sweep saw it: a silent one is only taken back if
        that still holds under the lock.
        """
        heard = heard_ms or {}
        told = Told()
        about = await locked(
            conn, sorted({(UUID(d.shop), UUID(d.conversation)) for d in made if not isinstance(d, _WITHOUT_SHOP)})
        )
        # First, so that a step stands before the assignment that followed from it.
        guarded = [d for d in made if isinstance(d, de.Guarded)]
        frames, noted = await write_guarded(conn, guarded, about, self._names, heard)
        told.to_people += frames
        moves: list[Move] = []
        assignments = Assignments(self._providers)
        for d in made:
            if isinstance(d, de.SetSeatState):
                await self._seat(conn, d, told, now_ms)
                continue
            if isinstance(d, de.Refuse):
                told.to_people.append(
                    (UUID(d.agent), {"type": "error", "code": d.code, "retry": "never", "ref": d.ref})
                )
                continue
            row = about.get(UUID(d.conversation))
            if row is None:
                raise Diverged(f"no conversation {d.conversation}")
            if isinstance(d, (de.Queued, de.Overflowed, de.Helped)):
                told.shops.add(d.shop)
                told.waiting[d.conversation] = row["thread_id"]
                continue
            if isinstance(d, (de.Guarded, de.Callback)):
                continue
            self._tell(d, row, told)
            move = self._move(d, row, heard)
            if move is None:
                continue
            moves.append(move)
            told.grown.add((move.shop, move.thread))
            if isinstance(d, de.Assign):
                assignments.begin(d, row["thread_id"], row["shopper_id"])
                told.agents.add(UUID(d.agent))
            elif isinstance(d, de.WrapUp):
                assignments.wrap(d.shop, d.conversation)
            elif isinstance(d, (de.Requeue, de.Park, de.Close)):
                why = d.reason if isinstance(d, de.Requeue) else _RELEASED[type(d)]
                assignments.end(d.shop, d.conversation, why)
            if isinstance(d, de.Close):
                told.facts.append(
                    ConversationClosed(
                        shop=UUID(d.shop), thread=row["thread_id"], conversation=UUID(d.conversation),
                        shopper=row["shopper_id"], reason=d.reason, at_ms=now_ms,
                    )
                )  # fmt: skip
        await assignments.write(conn)
        await _pins(conn, [d for d in made if isinstance(d, de.Requeue) and d.pinned is not None])
        await self._offers(conn, made, told)
        callbacks = await write_callbacks(conn, [d for d in made if isinstance(d, de.Callback)], about)
        told.shops.update(d.shop for d in made if isinstance(d, de.Callback))
        at = {
            row["thread_id"]: At(
                State(row["state"]), row["conversation_id"], row["agent_id"], row["pool_id"], row["epoch"],
                row["human_ms"],
            )
            for row in about.values()
        }  # fmt: skip
        await apply_moves(conn, moves, at)
        stored = [*noted, *callbacks]
        told.grown.update((entry.shop, entry.thread) for entry in stored)
        return told

    async def begin(self, conn: Connection) -> None:
        """Once, before it writes: keeps the loads that fit, and learns what agents are called in single shops."""
        self._personas = {(str(s), str(a)): name for (s, a), name in (await accounts.personas(conn)).items()}
        await keep_fits(conn, {UUID(agent): cap for agent, cap in self._caps.items()})

    def _move(self, d: de.Decision, row: Any, heard: Mapping[str, int]) -> Move | None:
        """The move a decision means; None: it moves nothing."""
        if isinstance(d, (de.MakeOffer, de.RevokeOffer, de.Warn)):
            return None
        handled = (de.SetSeatState, de.Refuse, de.Queued, de.Overflowed, de.Helped, de.Guarded, de.Callback)
        assert not isinstance(d, handled), "handled before"
        ids = (UUID(d.shop), row["thread_id"], UUID(d.conversation))
        if isinstance(d, de.Assign):
            why = {
                "decision": d.event, "reason": d.reason, "agent": d.agent, "pool": d.pool, "wait_ms": d.waited_ms,
            }  # fmt: skip
            return Move(
                *ids, State.ASSIGNED, f"conversation.{d.event}", d.epoch, UUID(d.agent), UUID(d.pool), d.reason,
                {"agent_name": self._personas.get((d.shop, d.agent)) or self._names.get(d.agent, "")}, why,
            )  # fmt: skip
        if isinstance(d, de.Requeue):
            why = {"decision": "requeued", "reason": d.reason, **({"agent": d.agent} if d.agent else {})}
            still = heard.get(d.conversation) if d.reason == "silent" else None
            event = "conversation.reclaimed"
            return Move(*ids, State.WAITING, event, d.epoch, reason=d.reason, why=why, unanswered_since_ms=still)
        if isinstance(d, de.Park):
            return Move(*ids, State.PARKED, "conversation.parked")
        if isinstance(d, de.WrapUp):
            return Move(*ids, State.WRAP_UP, "conversation.wrapped_up")
        if isinstance(d, de.Close):
            shown = "idle" if d.reason == "idle" else "ended"
            return Move(*ids, State.CLOSED, "conversation.closed", reason=d.reason, body={"reason": shown})
        if isinstance(d, de.ToMessageBox):
            return Move(*ids, State.MESSAGE_BOX, "conversation.message_box", reason=d.reason, body={"reason": d.reason})
        return Move(*ids, State.BOT, "queue.left", reason=d.reason, body={"reason": d.reason})

    def _tell(self, d: de.Decision, row: Any, told: Told) -> None:
        if isinstance(d, (de.Assign, de.Requeue, de.ToMessageBox, de.ToBot, de.Close)):
            told.shops.add(d.shop)
        frame: dict[str, Any]
        if isinstance(d, de.MakeOffer):
            frame = {
                "type": "offer", "conversation": d.conversation, "thread": str(row["thread_id"]), "epoch": d.epoch,
                "shop_name": row["shop_name"], "shopper_name": row["shopper_name"], "topic": row["topic"],
                "expires_ms": d.expires_ms, "note": d.note,
                "transfer_from": self._names.get(d.from_agent or "", "") if d.from_agent else "",
            }  # fmt: skip
        elif isinstance(d, de.RevokeOffer):
            frame = {"type": "offer.revoked", "conversation": d.conversation, "reason": d.reason}
        elif isinstance(d, de.Warn):
            frame = {
                "type": "sla.breach" if d.breach else "sla.warn", "thread": str(row["thread_id"]),
                "waited_ms": d.waited_ms, "limit_ms": d.limit_ms,
            }  # fmt: skip
        else:
            return
        told.to_people.append((UUID(d.agent), frame))

    async def _offers(self, conn: Connection, made: Sequence[de.Decision], told: Told) -> None:
        """Keep what is on offer, for an agent who opens the console again and for the next writer."""
        last = {d.conversation: d for d in made if isinstance(d, (de.MakeOffer, de.RevokeOffer, de.Assign))}
        over = [d for d in last.values() if d.conversation in self.offered]
        if over:
            await conn.execute(
                "delete from offer o using unnest($1::uuid[], $2::uuid[]) w(shop, id)"
                " where o.shop_id = w.shop and o.conversation_id = w.id",
                [UUID(d.shop) for d in over], [UUID(d.conversation) for d in over],
            )  # fmt: skip
            self.offered.difference_update(d.conversation for d in over)
        frames = {frame["conversation"]: frame for _, frame in told.to_people if frame["type"] == "offer"}
        offered = [d for d in last.values() if isinstance(d, de.MakeOffer)]
        if not offered:
            return
        self.offered.update(d.conversation for d in offered)
        await conn.executemany(
            "insert into offer (shop_id, conversation_id, agent_id, frame, expires_at, pool_id, reason, ref)"
            " values ($1, $2, $3, $4, to_timestamp($5::float8 / 1000), $6, $7, $8)",
            [
                (
                    UUID(d.shop),
                    UUID(d.conversation),
                    UUID(d.agent),
                    frames[d.conversation],
                    d.expires_ms,
                    UUID(d.pool),
                    d.reason,
                    d.ref,
                )
                for d in offered
            ],
        )

    async def _seat(self, conn: Connection, d: de.SetSeatState, told: Told, now_ms: int) -> None:
        agent = UUID(d.agent)
        before = await conn.fetchrow(
            "select owner_id, state, connected, heard_at from seat where agent_id = $1 for update", agent
        )
        if before is None:
            return
        lost = before["state"] if d.reason == "disconnected" and before["state"] != "draining" else None
        await conn.execute(
            "update seat set state = $2, state_reason = $3, before_loss = $4, state_since = clock_timestamp()"
            " where agent_id = $1",
            agent, d.state, d.reason, lost,
        )  # fmt: skip
        # Whoever crashed was there until he was last heard, whenever that was noticed.
        heard = before["heard_at"] if d.reason == "disconnected" else None
        ended = await conn.fetchval(
            """update seat_time set to_at = greatest(coalesce($2, clock_timestamp()), from_at + interval '1 us')
               where agent_id = $1 and to_at is null returning to_at""",
            agent, heard,
        )  # fmt: skip
        await conn.execute(
            "insert into seat_time (owner_id, agent_id, from_at, state, reason)"
            " values ($1, $2, coalesce($5, clock_timestamp()), $3, $4)",
            before["owner_id"], agent, d.state, d.reason, ended,
        )  # fmt: skip
        if heard is not None:
            await conn.execute(
                "update assignment set attended_until = greatest(assigned_at, $2)"
                " where agent_id = $1 and released_at is null",
                agent, heard,
            )  # fmt: skip
        told.to_people.append(
            (
                agent,
                {
                    "type": "seat", "state": d.state, "reason": "" if d.reason == "agent" else d.reason,
                    "seats_max": self._caps.get(d.agent, 0), "since_ms": now_ms,
                },
            )
        )  # fmt: skip


async def _pins(conn: Connection, pinned: Sequence[de.Requeue]) -> None:
    """Who waits for one pool alone waits for it also under the next writer."""
    if pinned:
        await conn.executemany(
            """insert into pinned (shop_id, conversation_id, epoch, pool_id, until_at)
               values ($1, $2, $3, $4, to_timestamp($5::float8 / 1000))
               on conflict (shop_id, conversation_id) do update set epoch = excluded.epoch, pool_id = excluded.pool_id,
                 until_at = excluded.until_at""",
            [
                (UUID(d.shop), UUID(d.conversation), d.epoch, UUID(d.pinned or ""), d.pinned_until_ms)
                for d in pinned
            ],
        )  # fmt: skip


_WITHOUT_SHOP = (de.SetSeatState, de.Refuse)
_RELEASED: dict[type[Any], str] = {de.Park: "parked", de.Close: "closed"}


async def take_lease(conn: Connection, shard: str, holder: str, lease_ms: int) -> int | None:
    """Become the shard's writer if nobody is, by the database's clock. Returns the new epoch; None: somebody is."""
    await conn.execute(
        "insert into dispatch_lease (shard, epoch, holder, until_at) values ($1, 0, '', 'epoch')"
        " on conflict (shard) do nothing",
        shard,
    )
    epoch: int | None = await conn.fetchval(
        """update dispatch_lease set epoch = epoch + 1, holder = $2,
             until_at = clock_timestamp() + $3 * interval '1 ms'
           where shard = $1 and until_at < clock_timestamp() returning epoch""",
        shard, holder, lease_ms,
    )  # fmt: skip
    return epoch


async def renew_lease(conn: Connection, shard: str, epoch: int, lease_ms: int) -> bool:
    """False: somebody else is the writer by now."""
    done = await conn.fetchval(
        "update dispatch_lease set until_at = clock_timestamp() + $3 * interval '1 ms'"
        " where shard = $1 and epoch = $2 returning true",
        shard, epoch, lease_ms,
    )  # fmt: skip
    return bool(done)


async def drop_lease(conn: Connection, shard: str, epoch: int) -> None:
    await conn.execute("update dispatch_lease set until_at = 'epoch' where shard = $1 and epoch = $2", shard, epoch)


class Superseded(Exception):
    """Another writer has taken the shard over: nothing of ours may be committed any more."""


async def forget_offers(conn: Connection, kept: Sequence[UUID]) -> None:
    """A writer that begins goes on with the offers of these conversations; the others are asked again."""
    await conn.execute("delete from offer where not conversation_id = any($1)", list(kept))
    await conn.execute("delete from pinned where until_at < clock_timestamp() - interval '1 hour'")


async def hold_lease(conn: Connection, shard: str, epoch: int, lease_ms: int, whole_ms: int) -> None:
    """Within a transaction: nobody can take over before it ends. Raises Superseded when somebody has.

    The server ends the transaction of a writer that says nothing for a lease's time (frozen, or cut off), because the
    next one waits for this lock. One that is silent in the middle of a message is not idle: from PostgreSQL 17 on, a
    limit on the whole transaction, ``whole_ms``, ends that as well.
    """
    mine = await conn.fetchval(_held(conn), shard, epoch, str(lease_ms), str(whole_ms))
    if not mine:
        raise Superseded(f"epoch {epoch} of shard {shard} is over")


def _held(conn: Connection, *, renew: bool = False) -> str:
    whole = "set_config('transaction_timeout', $4, true)" if conn.get_server_version() >= (17,) else "$4::text"
    limits = f"set_config('idle_in_transaction_session_timeout', $3, true), {whole}"
    mine = "shard = $1 and epoch = $2"
    if renew:
        until = "clock_timestamp() + $3::text::int * interval '1 ms'"
        return f"update dispatch_lease set until_at = {until} where {mine} returning {limits}"
    return f"select {limits} from dispatch_lease where {mine} for share"


async def hold_lease_and_claim(
    conn: Connection, shard: str, epoch: int, lease_ms: int, whole_ms: int, limit: int, *, renew: bool = False
) -> list[tuple[int, AnyFact]]:
    """``hold_lease`` and the oldest facts for the dispatcher, locked, in one statement; with ``renew`` the lease is
    longer once the transaction commits."""
    rows = await conn.fetch(
        f"""with mine as materialized ({_held(conn, renew=renew)}), claimed as materialized (
              select id, fact from outbox where consumer = 'dispatcher' and failed is null order by id limit $5
                 for update)
            select c.id, c.fact from mine left join claimed c on true order by c.id""",
        shard, epoch, str(lease_ms), str(whole_ms), limit,
    )  # fmt: skip
    if not rows:
        raise Superseded(f"epoch {epoch} of shard {shard} is over")
    return [(row["id"], parse_fact(row["fact"])) for row in rows if row["id"] is not None]
