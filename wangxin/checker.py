"""An independent judge of the promise: it knows what each party sent, was told, and received, and what the record says.

It shares no code with the hub. Input is plain testimony; the verdict lists every breach by kind:

- ``lost``: acknowledged, but not in the record, or not under the number the acknowledgement named;
- ``doubled``: one message stored twice, or one line shown twice to one party, over one connection or over two;
- ``altered``: the words differ between what was sent, what is stored and what was received;
- ``leaked``: a line reached somebody who is not of its thread, or an internal line reached a shopper;
- ``reordered``: lines arrived out of their order, or one acknowledged before another was sent has a higher number;
- ``gapped``: numbers are missing in the record, or a party was shown a line without the one before it;
- ``undelivered``: a party that was there to the end never received a line of its thread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

Breach = Literal["lost", "doubled", "altered", "leaked", "reordered", "gapped", "undelivered"]
BREACHES: tuple[Breach, ...] = ("lost", "doubled", "altered", "leaked", "reordered", "gapped", "undelivered")
LaneKey = tuple[UUID, str]
"""(thread, lane)"""


@dataclass(frozen=True, slots=True)
class Sent:
    """``moment`` is any clock that is common to all parties and never runs backwards."""

    thread: UUID
    client_msg_id: UUID
    words: str
    moment: float
    lane: str = "public"


@dataclass(frozen=True, slots=True)
class Acked:
    thread: UUID
    client_msg_id: UUID
    seq: int
    moment: float
    lane: str = "public"


@dataclass(frozen=True, slots=True)
class Begun:
    """From here on the party is owed every line above ``after``: the thread was given to him, or a newest page was
    shown instead of what he missed. A new connection alone begins nothing: it goes on where the last one ended."""

    thread: UUID
    lane: str
    after: int


@dataclass(frozen=True, slots=True)
class Received:
    """``words`` is None for lines that are no text."""

    thread: UUID
    lane: str
    seq: int
    client_msg_id: UUID | None
    words: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    thread: UUID
    lane: str
    seq: int
    client_msg_id: UUID | None
    words: str | None


@dataclass(slots=True)
class Party:
    """One person's testimony. ``attached`` names the lanes he belonged to from line n+1 on, and stayed to the end."""

    name: str
    role: Literal["shopper", "agent"]
    threads: set[UUID] = field(default_factory=set)
    """Every thread he was ever a party of."""
    attached: dict[LaneKey, int] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    acked: list[Acked] = field(default_factory=list)
    received: list[Received | Begun] = field(default_factory=list)
    """In the order in which they came, over all connections."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts and the first few sentences of each kind of breach."""

    counts: Mapping[Breach, int]
    examples: Mapping[Breach, tuple[str, ...]]
    sent: int
    acknowledged: int
    received: int
    stored: int

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not any(self.counts.values())

    def __str__(self) -> str:
        figures = ", ".join(f"{self.counts[kind]} {kind}" for kind in BREACHES)
        totals = f"{self.acknowledged} of {self.sent} acknowledged, {self.received} received, {self.stored} stored"
        text = f"{totals}: {figures}"
        return "\n".join([text, *(f"  {kind}: {one}" for kind in BREACHES for one in self.examples[kind])])


class _Breaches:
    def __init__(self, examples_most: int = 5) -> None:
        self.counts: dict[Breach, int] = dict.fromkeys(BREACHES, 0)
        self.examples: dict[Breach, list[str]] = {kind: [] for kind in BREACHES}
        self._most = examples_most

    def found(self, kind: Breach, sentence: str) -> None:
        self.counts[kind] += 1
        if len(self.examples[kind]) < self._most:
            self.examples[kind].append(sentence)


def check(parties: Iterable[Party], record: Iterable[Stored]) -> Verdict:
    """Judge. Every party's testimony is believed; the record is believed to be what history gives back."""
    parties = list(parties)
    lanes: dict[LaneKey, list[Stored]] = defaultdict(list)
    by_message: dict[tuple[UUID, UUID], list[Stored]] = defaultdict(list)
    for line in record:
        lanes[line.thread, line.lane].append(line)
        if line.client_msg_id is not None:
            by_message[line.thread, line.client_msg_id].append(line)
    breaches = _Breaches()
    _check_record(lanes, by_message, breaches)
    for party in parties:
        _check_words(party, by_message, breaches)
        _check_receipt(party, lanes, breaches)
    _check_real_time(parties, breaches)
    return Verdict(
        counts=breaches.counts,
        examples={kind: tuple(sentences) for kind, sentences in breaches.examples.items()},
        sent=len({(sent.thread, sent.client_msg_id) for party in parties for sent in party.sent}),
        acknowledged=len({(ack.thread, ack.client_msg_id) for party in parties for ack in party.acked}),
        received=sum(isinstance(line, Received) for party in parties for line in party.received),
        stored=sum(len(lines) for lines in lanes.values()),
    )


def _check_record(
    lanes: dict[LaneKey, list[Stored]], by_message: dict[tuple[UUID, UUID], list[Stored]], breaches: _Breaches
) -> None:
    for (thread, lane), lines in lanes.items():
        numbers = sorted(line.seq for line in lines)
        if numbers != list(range(1, len(numbers) + 1)):
            breaches.found("gapped", f"the {lane} lane of {thread} is numbered {numbers[:5]}…, not 1 to {len(numbers)}")
    for (thread, message), lines in by_message.items():
        if len(lines) > 1:
            breaches.found("doubled", f"message {message} stands {len(lines)} times in {thread}")


def _check_words(party: Party, by_message: dict[tuple[UUID, UUID], list[Stored]], breaches: _Breaches) -> None:
    words = {(sent.thread, sent.client_msg_id): sent.words for sent in party.sent}
    for ack in party.acked:
        stored = by_message.get((ack.thread, ack.client_msg_id))
        if not stored:
            breaches.found(
                "lost", f"{party.name}'s {ack.client_msg_id} was acknowledged as {ack.seq} and is not stored"
            )
        elif stored[0].seq != ack.seq:
            breaches.found(
                "lost", f"{party.name}'s {ack.client_msg_id} was acknowledged as {ack.seq} but is {stored[0].seq}"
            )
    for key, said in words.items():
        for line in by_message.get(key, ()):
            if line.words is not None and line.words != said:
                breaches.found("altered", f"{party.name} sent {said[:40]!r}, the record has {line.words[:40]!r}")


def _check_receipt(party: Party, lanes: dict[LaneKey, list[Stored]], breaches: _Breaches) -> None:
    last: dict[LaneKey, int] = {}
    seen: dict[LaneKey, set[int]] = defaultdict(set)
    stored = {
        (key, line.seq): line for key in {(r.thread, r.lane) for r in party.received} for line in lanes.get(key, ())
    }
    for line in party.received:
        key = (line.thread, line.lane)
        if isinstance(line, Begun):
            last[key] = line.after
            continue
        if line.thread not in party.threads or (party.role == "shopper" and line.lane != "public"):
            breaches.found("leaked", f"{party.name} received {line.lane} line {line.seq} of {line.thread}")
        before = last.get(key)
        if before is not None:
            if line.seq in seen[key]:
                breaches.found("doubled", f"{party.name} received {line.seq} of {line.thread} twice")
            elif line.seq <= before:
                breaches.found("reordered", f"{party.name} received {line.seq} of {line.thread} after {before}")
            elif line.seq != before + 1:
                breaches.found("gapped", f"{party.name} received {line.seq} of {line.thread} right after {before}")
        last[key] = max(line.seq, before or 0)
        seen[key].add(line.seq)
        kept = stored.get((key, line.seq))
        if kept is None:
            breaches.found("lost", f"{party.name} received {line.seq} of {line.thread}, which is not stored")
        elif line.words is not None and kept.words is not None and line.words != kept.words:
            breaches.found(
                "altered", f"{party.name} received {line.words[:40]!r} where the record has {kept.words[:40]!r}"
            )
    for key, after in party.attached.items():
        missing = [line.seq for line in lanes.get(key, ()) if line.seq > after and line.seq not in seen[key]]
        for seq in missing:
            breaches.found("undelivered", f"{party.name} never received {key[1]} line {seq} of {key[0]}")


def _check_real_time(parties: list[Party], breaches: _Breaches) -> None:
    """Acknowledged before another was sent: then numbered before it. Checked per lane in one sweep over time."""
    first_sent: dict[tuple[LaneKey, UUID], float] = {}
    acked: dict[tuple[LaneKey, UUID], Acked] = {}
    for party in parties:
        for sent in party.sent:
            mark = ((sent.thread, sent.lane), sent.client_msg_id)
            first_sent[mark] = min(sent.moment, first_sent.get(mark, sent.moment))
        for ack in party.acked:
            mark = ((ack.thread, ack.lane), ack.client_msg_id)
            if mark not in acked or ack.moment < acked[mark].moment:
                acked[mark] = ack
    happenings: dict[LaneKey, list[tuple[float, int, int]]] = defaultdict(list)
    for mark, ack in acked.items():
        if mark in first_sent:
            # At the same moment a sending counts as earlier: only a clear before is judged.
            happenings[mark[0]].append((first_sent[mark], 0, ack.seq))
            happenings[mark[0]].append((ack.moment, 1, ack.seq))
    for key, moments in happenings.items():
        highest = 0
        for _, is_ack, seq in sorted(moments):
            if is_ack:
                highest = max(highest, seq)
            elif seq < highest:
                breaches.found("reordered", f"{seq} of {key[0]} was sent after {highest} had been acknowledged")
