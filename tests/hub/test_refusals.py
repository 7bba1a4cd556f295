"""Each limit, bad frame and wrong order has a named answer, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.conftest import Shop, make_shop
from tests.hub.conftest import KEY, PATIENCE_S, House
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.hub import socket as hub_socket
from wangxin.hub.figures import FIGURES, REFUSED
from wangxin.model import limits
from wangxin.protocol.examples import example
from wangxin.protocol.frames import AGENT_FRAMES, SHOPPER_FRAMES
from wangxin.storage import entries
from wangxin.storage.entries import Line as StoredLine

BAD_FRAMES: list[tuple[str, str | bytes, str]] = [
    ("not json", "{", "frame.not_json"),
    ("a list", "[]", "frame.bad_field"),
    ("no type", "{}", "frame.unknown_type"),
    ("unknown type", '{"type":"message.shout"}', "frame.unknown_type"),
    ("unknown field", '{"type":"ping","extra":1}', "frame.unknown_field"),
    ("missing field", '{"type":"typing"}', "frame.missing_field"),
    ("wrong type of a field", '{"type":"typing","thread":{"$ne":null}}', "frame.bad_field"),
    ("a lone surrogate", '{"type":"ping","ref":"\\ud800"}', "frame.not_json"),
    ("NUL", '{"type":"ping","ref":"\\u0000"}', "frame.bad_text"),
    ("not a number", f'{{"type":"receipt.read","thread":"{uuid4()}","up_to_seq":NaN}}', "frame.bad_field"),
    ("a huge number", f'{{"type":"receipt.read","thread":"{uuid4()}","up_to_seq":1{"0" * 400}}}', "frame.bad_field"),
    ("deep", f'{{"type":"ping","ref":{"[" * 60}1{"]" * 60}}}', "frame.too_deep"),
    ("an agent's frame", '{"type":"agent.state","state":"ready"}', "frame.not_allowed"),
    ("nobody's thread", f'{{"type":"typing","thread":"{uuid4()}"}}', "thread.not_found"),
]  # fmt: skip


async def test_a_bad_frame_is_named_and_the_line_lives_on(house: House, shop: Shop) -> None:
    await house.open_hub()
    line, thread = await house.shopper(shop)
    for what, raw, code in BAD_FRAMES:
        begin = len(line.frames)
        await line.send(raw)
        assert (await line.until("error", after=begin))["code"] == code, what
        assert (await line.say(thread, "还在"))["type"] == "ack", what


async def test_a_refused_message_names_itself(house: House, shop: Shop) -> None:
    await house.open_hub()
    line, thread = await house.shopper(shop)
    long = await line.say(thread, "长" * (limits.TEXT_CHARS_MAX + 1))
    assert (long["code"], long["retry"]) == ("message.too_long", "never")
    strange = await line.ask(
        {"type": "message.send", "thread": thread, "client_msg_id": uuid4(), "body": {"kind": "?"}}
    )
    assert strange["code"] == "message.unknown_kind"
    forged = await line.ask(
        {"type": "message.send", "thread": thread, "client_msg_id": uuid4(), "body": {"kind": "note", "text": "x"}}
    )
    assert forged["code"] == "message.kind_not_allowed"


async def test_odd_but_lawful_texts_arrive_byte_for_byte(house: House, shop: Shop) -> None:
    await house.open_hub()
    line, thread = await house.shopper(shop)
    other, _ = await house.shopper(shop)
    texts = ["👨‍👩‍👧‍👦", "a\u200bb", "\u202eabc", "e\u0301", "x\u2028y", "﷽" * 100, '"\\/\b\f\n\r\t', "<script>"]
    for text in texts:
        assert (await line.say(thread, text))["type"] == "ack"
    await other.line(thread, len(texts) + 1)
    assert other.words(thread) == texts
    page = await line.ask({"type": "history", "thread": thread})
    assert [entry["body"]["text"] for entry in page["entries"][1:]] == texts


async def test_too_many_bad_frames_end_the_line(house: House, shop: Shop) -> None:
    await house.open_hub()
    line, _ = await house.shopper(shop)
    for _ in range(limits.BAD_FRAMES_PER_MINUTE_MAX + 1):
        await line.send("{")
    assert await line.closed() == 1008


async def test_too_fast_is_refused_with_a_time_to_wait(house: House, shop: Shop) -> None:
    await house.open_hub()
    line, thread = await house.shopper(shop)
    for _ in range(limits.FRAMES_BURST + 10):
        await line.send({"type": "ping"})
    error = await line.until("error")
    assert error["code"] == "rate.exceeded"
    assert 0 < error["retry"] <= 10_000
    await asyncio.sleep(error["retry"] / 1_000)
    assert (await line.say(thread, "慢一点"))["type"] == "ack"


async def test_nothing_comes_before_hello(house: House, shop: Shop) -> None:
    await house.open_hub()
    line = await house.dial()
    await line.send({"type": "ping"})
    assert (await line.until("error"))["code"] == "hello.missing"
    await line.send({"type": "hello", "token": house.member(shop)})
    await line.until("live")


async def test_a_second_hello_ends_the_line(house: House, shop: Shop) -> None:
    await house.open_hub()
    line, _ = await house.shopper(shop)
    await line.send({"type": "hello", "token": house.member(shop)})
    assert (await line.until("error"))["code"] == "hello.twice"
    assert await line.closed() == 4502


async def test_no_hello_in_time_ends_the_line(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = await house.open_hub()
    line = await house.dial()
    for _ in range(hub_socket.HANDSHAKE_S + 1):
        hub.wheel.advance()
    assert await line.closed() == 4408


async def test_a_line_that_never_asks_to_open_is_cut(house: House) -> None:
    hub = await house.open_hub()
    reader, writer = await asyncio.open_connection("127.0.0.1", house.ports[0])
    writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\n")
    await writer.drain()
    await asyncio.sleep(0.1)
    for _ in range(hub_socket.HANDSHAKE_S + 1):
        hub.wheel.advance()
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


async def test_a_dead_line_is_noticed_within_28_seconds(house: House, shop: Shop) -> None:
    hub = await house.open_hub()
    line, _ = await house.shopper(shop)
    line.socket.transport.pause_reading()
    began = hub.wheel.second
    while next(iter(hub.peers)).socket.open and hub.wheel.second < began + 40:
        hub.wheel.advance()
        await asyncio.sleep(0)
    assert 25 <= hub.wheel.second - began <= 28
    line.socket.transport.resume_reading()
    assert await line.closed() == 4001


async def test_an_answered_ping_keeps_the_line(house: House, shop: Shop) -> None:
    hub = await house.open_hub()
    line, thread = await house.shopper(shop)
    for _ in range(4):
        for _ in range(hub_socket.PING_EVERY_S):
            hub.wheel.advance()
        await asyncio.sleep(0.1)
    assert (await line.say(thread, "还在"))["type"] == "ack"


TOKENS = ["", "x", "a.b.c", "é.é.é"]


async def test_a_token_that_is_none_is_refused(house: House, shop: Shop) -> None:
    await house.open_hub()
    for token in TOKENS:
        line = await house.dial()
        await line.send({"type": "hello", "token": token})
        assert (await line.until("error"))["code"] in ("token.wrong", "frame.bad_field")
        if token:
            assert await line.closed() == 4403


async def test_tokens_of_others_and_of_yesterday_are_refused(house: House, shop: Shop, other_shop: Shop) -> None:
    await house.open_hub()
    foreign = auth.sign_member(str(shop.id), "m1", "林晓", "", "t" * 43, now_ms())
    swapped = auth.sign_member(str(other_shop.id), "m1", "林晓", "", "u" * 43, now_ms())
    for token in (foreign, swapped):
        line = await house.dial()
        await line.send({"type": "hello", "token": token})
        assert (await line.until("error"))["code"] == "token.wrong"
        assert await line.closed() == 4403
    old = auth.sign_member(str(shop.id), "m1", "林晓", "", shop.secret, now_ms() - 3_700_000)
    line = await house.dial()
    await line.send({"type": "hello", "token": old})
    error = await line.until("error")
    assert (error["code"], error["retry"]) == ("token.expired", "reauth")
    assert await line.closed() == 4401


async def test_an_ended_login_cannot_come_in_and_an_open_line_is_closed(house: House, shop: Shop) -> None:
    hub = await house.open_hub()
    person = await house.agent(shop)
    line = await house.enter(person.token)
    await house.pool.execute("update account_session set revoked_at = clock_timestamp()")
    await hub.standing.look()
    assert (await line.until("error"))["code"] == "session.ended"
    assert await line.closed() == 4500
    again = await house.dial()
    await again.send({"type": "hello", "token": person.token})
    assert (await again.until("error"))["code"] == "session.ended"


async def test_a_shopper_who_is_to_be_erased_is_out_at_once_on_every_device(house: House, shop: Shop) -> None:
    hub = await house.open_hub()
    line, _ = await house.shopper(shop, external_id="m1")
    other, thread = await house.shopper(shop, external_id="m2")
    await house.forget(shop, "m1")
    assert (await line.until("error"))["code"] == "token.wrong"
    assert await line.closed() == 4500
    assert (await other.say(thread, "还在"))["type"] == "ack"
    await house.forget(shop, "m2", hint=False)
    await hub.standing.look()  # as it looks every second, for a hint may be lost
    assert await other.closed() == 4500


async def test_the_oldest_of_too_many_devices_is_closed(house: House, shop: Shop) -> None:
    await house.open_hub()
    first, _ = await house.shopper(shop)
    for _ in range(limits.CONNECTIONS_PER_PERSON_MAX):
        await house.shopper(shop)
    assert await first.closed() == 4005


ORIGINS = [
    ("https://shop.example", True),
    ("null", False),
    ("https://shop.example.evil.test", False),
    ("https://evil.test/https://shop.example", False),
    ("https://SHOP.example", False),
    ("https://shop.example:444", False),
    ("https://user@shop.example", False),
    ("https://shop.example`", False),
    ("http://shop.example", False),
    ("https://xn--shp-6na.example", False),
]


async def test_only_pages_a_shop_named_may_open_lines(house: House, shop: Shop) -> None:
    await house.pool.execute("update shop set allowed_origins = $1", ["https://shop.example"])
    await house.open_hub()
    url = f"ws://127.0.0.1:{house.ports[0]}/ws"
    for origin, allowed in ORIGINS:
        if allowed:
            await house.enter(house.member(shop), headers={"Origin": origin})
            continue
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers={"Origin": origin})
        assert refused.value.response.status_code == 403, origin


async def test_a_page_of_one_shop_opens_no_line_of_another(house: House, shop: Shop) -> None:
    other = await make_shop(house.pool, "other", "别家")
    await house.pool.execute("update shop set allowed_origins = $2 where shop_id = $1", other.id, ["https://o.example"])
    await house.open_hub()
    person = await house.agent(shop)
    for token in (house.member(shop), person.token):
        line = await house.dial(additional_headers={"Origin": "https://o.example"})
        await line.send({"type": "hello", "token": token})
        assert (await line.until("error"))["code"] == "origin.wrong"
        assert await line.closed() == 4403


async def test_our_own_page_may_always_open_lines(house: House, shop: Shop) -> None:
    await house.open_hub()
    await house.enter(house.member(shop), headers={"Origin": f"http://127.0.0.1:{house.ports[0]}"})


async def test_other_paths_are_not_the_chat(house: House) -> None:
    await house.open_hub()
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://127.0.0.1:{house.ports[0]}/other")
    assert refused.value.response.status_code == 404
    assert orjson.loads(await plain(house.ports[0], "/healthz"))["node"] == "a"


async def test_a_hub_gives_its_figures_to_prometheus(house: House, shop: Shop) -> None:
    await house.open_hub()
    await house.enter(house.member(shop))
    told = {
        sample.name: sample
        for family in text_string_to_metric_families((await plain(house.ports[0], "/metrics")).decode())
        for sample in family.samples
    }
    assert set(told) == {REFUSED[0], *(name for name, *_ in FIGURES)}
    assert told["wangxin_hub_lines"].value == 1
    assert told["wangxin_hub_store_here"].labels == {"node": "a"}
    assert told["wangxin_hub_store_here"].value == 1


async def plain(port: int, path: str) -> bytes:
    """The body of a plain HTTP answer of a hub."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 ")
    return answer.partition(b"\r\n\r\n")[2]


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A client's frame with an all-zero mask."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | opcode])
    if size < 126:
        return head + bytes([0x80 | size]) + bytes(4) + payload
    if size < 65_536:
        return head + b"\xfe" + struct.pack(">H", size) + bytes(4) + payload
    return head + b"\xff" + struct.pack(">Q", size) + bytes(4) + payload


async def raw_line(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


RAW: list[tuple[str, list[bytes], int]] = [
    ("bad UTF-8", [masked(1, b'{"type":"\xff"}')], 1007),
    ("bad UTF-8 across fragments", [masked(1, b"\xf0\x9f", fin=False), masked(0, b"\x20")], 1007),
    ("binary", [masked(2, b"x")], 1003),
    ("too big", [masked(1, b"x" * (limits.FRAME_BYTES_MAX + 1))], 1009),
    ("too big in pieces", [masked(1, b"x" * 40_000, fin=False), masked(0, b"x" * 40_000)], 1009),
    ("too many pieces", [masked(1, b"x", fin=False), masked(0, b"", fin=False) * 4_200], 1009),
    ("reserved bit", [bytes([0xC1, 0x80]) + bytes(4)], 1002),
    ("unmasked", [b"\x81\x02{}"], 1002),
    ("continuation of nothing", [masked(0, b"x")], 1002),
    ("unknown opcode", [masked(3, b"x")], 1002),
    ("long ping", [masked(9, b"x" * 126)], 1002),
]


async def test_what_is_no_lawful_websocket_ends_with_its_code(house: House, shop: Shop) -> None:
    await house.open_hub()
    bystander, thread = await house.shopper(shop)
    for what, pieces, code in RAW:
        reader, writer = await raw_line(house.ports[0])
        for piece in pieces:
            writer.write(piece)
        async with asyncio.timeout(PATIENCE_S):
            head = await reader.readexactly(2)
            assert head[0] == 0x88, what
            assert struct.unpack(">H", await reader.readexactly(2))[0] == code, what
        writer.close()
        assert (await bystander.say(thread, "没事"))["type"] == "ack", what


async def test_a_reader_who_never_reads_is_cut_and_costs_little(house: House, shop: Shop) -> None:
    hub = await house.open_hub()
    speaker, thread = await house.shopper(shop)
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    stuck.connect(("127.0.0.1", house.ports[0]))
    stuck.sendall(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        + masked(1, orjson.dumps({"type": "hello", "token": house.member(shop)}))
    )
    async with asyncio.timeout(PATIENCE_S):
        while len(hub.people) < 1 or sum(len(peers) for peers in hub.people.values()) < 2:
            await asyncio.sleep(0.01)
    (peer,) = [peer for peer in hub.peers if peer.actor and peer is not _peer_of(hub, speaker)]
    words = [
        StoredLine(shop.id, thread, "bot", UUID(int=0), None, "text", orjson.dumps({"text": "慢" * 4_000}).decode())
        for _ in range(20)
    ]
    biggest = 0
    async with asyncio.timeout(PATIENCE_S * 2):
        while peer.socket.open:
            _, stored = await entries.append(house.pool, words)
            hub.delivery.look(thread)
            await speaker.line(thread, stored[-1].seq)
            biggest = max(biggest, peer.socket.waiting_bytes)
    assert not peer.socket.open
    assert biggest < 2 * limits.OUTBOX_BYTES_MAX
    for _ in range(5):
        hub.wheel.advance()
    async with asyncio.timeout(PATIENCE_S):
        while peer in hub.peers:
            await asyncio.sleep(0.01)
    assert (await speaker.say(thread, "接着聊"))["type"] == "ack"
    stuck.close()


def _peer_of(hub: Any, line: Any) -> Any:
    local = line.socket.local_address[1]
    return next(peer for peer in hub.peers if peer.socket.transport.get_extra_info("peername")[1] == local)


async def test_a_full_queue_says_busy(house: House, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = await house.open_hub()
    line, thread = await house.shopper(shop)
    monkeypatch.setattr(limits, "APPEND_WAITING_MAX", 0)
    monkeypatch.setattr(limits, "SHOP_WAITING_MAX", 0)
    busy = await line.say(thread, "满了")
    assert (busy["code"], busy["retry"]) == ("hub.busy", 1_000)
    monkeypatch.undo()
    assert (await line.say(thread, "好了"))["type"] == "ack"
    assert hub.answering.committer.waiting == 0


async def test_a_visitor_token_of_another_installation_is_wrong(house: House, shop: Shop) -> None:
    await house.open_hub()
    line = await house.dial()
    await line.send({"type": "hello", "token": auth.sign_visitor(shop.id, new_id(), "z" * 43, now_ms())})
    assert (await line.until("error"))["code"] == "token.wrong"
    unknown = await house.dial()
    await unknown.send({"type": "hello", "token": auth.sign_visitor(shop.id, new_id(), KEY, now_ms())})
    assert (await unknown.until("error"))["code"] == "token.wrong"


async def test_every_documented_example_is_answered_and_kills_nothing(house: House, shop: Shop) -> None:
    """A shopper and an agent send each frame of the document; whatever it does, it is answered by its ref."""
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    agent = await house.enter((await house.agent(shop)).token)
    for line, kinds in ((shopper, SHOPPER_FRAMES), (agent, AGENT_FRAMES)):
        for kind in kinds:
            answer = await line.ask({**example(kind)})
            assert answer["type"] in ("ok", "pong", "error"), (kind, answer)
            assert answer.get("code") != "hub.failed", (kind, answer)
            assert answer.get("code") not in ("frame.bad_field", "frame.unknown_field"), (kind, answer)
            await asyncio.sleep(0.03)
    assert (await shopper.say(thread, "还在"))["type"] == "ack"
