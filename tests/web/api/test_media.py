"""Uploads: what they are is found out, what they tell is taken out, and only those who may see them get a link."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import struct
import zlib
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import Chat, Shop, make_chat, make_shop
from tests.web.api.clips import box, m4a, mp4, webm
from tests.web.api.conftest import Person, make_person
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.refusals import Refusal
from wangxin.storage.entries import Line, append, body_json
from wangxin.web import video


def picture(form: str = "JPEG", size: tuple[int, int] = (64, 48), **how: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 60, 20)).save(out, form, **how)
    return out.getvalue()


def _with_place() -> bytes:
    exif = Image.Exif()
    exif[0x0110] = "SecretPhone 9"
    exif[0x0112] = 6  # the camera was held upright
    exif.get_ifd(0x8825)[2] = (30.0, 15.0, 1.0)
    return picture("JPEG", exif=exif)


def _bomb(width: int, height: int) -> bytes:
    """A PNG that claims a huge size in a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(3_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


async def _upload(web: httpx.AsyncClient, who: Person, content: bytes, **more: Any) -> httpx.Response:
    files = {"file": (more.pop("name", "x.jpg"), content, "image/jpeg")}
    if "poster" in more:
        files["poster"] = ("p.jpg", more.pop("poster"), "image/jpeg")
    return await web.post("/api/v1/media", files=files, data=more, headers=who.headers)


async def test_a_picture_comes_back_without_what_the_camera_wrote_down(web: httpx.AsyncClient, agent: Person) -> None:
    given = (await _upload(web, agent, _with_place())).json()
    assert (given["kind"], given["width"], given["height"]) == ("image", 48, 64)
    for link in (given["original"], given["thumb"]):
        served = await web.get(link)
        assert served.status_code == 200
        assert b"SecretPhone" not in served.content
        assert not Image.open(io.BytesIO(served.content)).getexif()
        assert served.headers["x-content-type-options"] == "nosniff"
        assert served.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in served.headers["content-security-policy"]


@pytest.mark.parametrize(("form", "mime"), [("PNG", "image/png"), ("WEBP", "image/webp"), ("GIF", "image/png")])
async def test_the_type_is_what_the_bytes_are_and_not_what_the_name_says(
    form: str, mime: str, web: httpx.AsyncClient, agent: Person
) -> None:
    given = (await _upload(web, agent, picture(form), name="page.html")).json()
    assert given["mime"] == mime


async def test_an_animation_stays_one(web: httpx.AsyncClient, agent: Person) -> None:
    frames = [Image.new("RGB", (40, 40), (shade, 0, 0)) for shade in (0, 120, 250)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=80)
    given = (await _upload(web, agent, out.getvalue())).json()
    kept = Image.open(io.BytesIO((await web.get(given["original"])).content))
    assert (kept.format, kept.n_frames) == ("WEBP", 3)  # type: ignore[attr-defined]


_SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
_WRONG: list[tuple[str, bytes, str]] = [
    ("svg", _SVG, "media.wrong_type"),
    ("html", b"<!doctype html><script>alert(1)</script>", "media.wrong_type"),
    ("pdf", b"%PDF-1.7 /JS (app.alert(1))", "media.wrong_type"),
    ("empty", b"", "media.wrong_type"),
    ("half a jpeg", picture(size=(600, 600))[:-400], "media.broken"),
    ("bomb in pixels", _bomb(50_000, 50_000), "media.too_large"),
    ("bomb below the sides", _bomb(11_000, 11_000), "media.too_large"),
    ("postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "media.wrong_type"),
    ("bmp", picture("BMP"), "media.wrong_type"),
    ("tiff", picture("TIFF"), "media.wrong_type"),
]


@pytest.mark.parametrize(("content", "code"), [w[1:] for w in _WRONG], ids=[w[0] for w in _WRONG])
async def test_what_is_no_picture_or_a_bomb_is_refused(
    content: bytes, code: str, web: httpx.AsyncClient, agent: Person, deps: Deps
) -> None:
    reply = await _upload(web, agent, content)
    assert reply.json()["code"] == code
    assert await deps.pool.fetchval("select count(*) from media") == 0


async def test_a_page_behind_a_picture_is_gone_afterwards(web: httpx.AsyncClient, agent: Person) -> None:
    given = (await _upload(web, agent, picture() + b"<script>alert(1)</script>")).json()
    assert b"<script" not in (await web.get(given["original"])).content


async def test_a_picture_above_ten_megabytes_is_refused(web: httpx.AsyncClient, agent: Person) -> None:
    reply = await _upload(web, agent, picture() + bytes(limits.IMAGE_BYTES_MAX))
    assert (reply.status_code, reply.json()["code"]) == (413, "media.too_large")


async def test_who_has_no_token_does_not_get_his_upload_read(web: httpx.AsyncClient) -> None:
    reply = await web.post("/api/v1/media", files={"file": ("x", picture())})
    assert reply.status_code == 401


_CLIPS = {
    "mp4": mp4(remark=b"+30.15+120.17/ secret place"),
    "webm": webm(),
    "webm without length": webm(ms=None, last_ms=3_000),
    "webm as recorded": webm(live=True),
}


@pytest.mark.parametrize("clip", _CLIPS.values(), ids=_CLIPS.keys())
async def test_a_short_video_is_taken_with_its_poster_and_served_in_parts(
    clip: bytes, web: httpx.AsyncClient, agent: Person
) -> None:
    reply = await _upload(web, agent, clip, poster=picture())
    assert reply.status_code == 201, reply.text
    given = reply.json()
    assert (given["kind"], given["width"], given["height"]) == ("video", 320, 240)
    assert 0 < given["duration_ms"] <= 4_000
    whole = await web.get(given["original"])
    assert len(whole.content) == len(clip)
    assert b"secret place" not in whole.content
    part = await web.get(given["original"], headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, clip[4:8])
    assert Image.open(io.BytesIO((await web.get(given["thumb"])).content)).format == "JPEG"


_VOICES = {
    "webm": (webm(sound=True), "audio/webm"),
    "webm as recorded": (webm(ms=None, last_ms=3_000, live=True, sound=True), "audio/webm"),
    "m4a": (m4a(), "audio/mp4"),
    "m4a as recorded": (m4a(ms=3_000, pieces=True), "audio/mp4"),
}


@pytest.mark.parametrize(("clip", "mime"), _VOICES.values(), ids=_VOICES.keys())
async def test_a_voice_is_taken_without_a_poster_and_its_length_is_read(
    clip: bytes, mime: str, web: httpx.AsyncClient, agent: Person
) -> None:
    reply = await _upload(web, agent, clip)
    assert reply.status_code == 201, reply.text
    given = reply.json()
    assert (given["kind"], given["mime"], given["width"], given["height"]) == ("voice", mime, 0, 0)
    assert 3_000 <= given["duration_ms"] <= 4_000
    served = await web.get(given["original"], headers={"Range": "bytes=4-7"})
    assert (served.status_code, served.content, served.headers["content-type"]) == (206, clip[4:8], mime)
    assert (await web.get(given["thumb"])).status_code == 404


_BAD_CLIPS: list[tuple[str, bytes, str]] = [
    ("too long", mp4(ms=61_000), "media.too_long"),
    ("too long webm", webm(ms=61_000), "media.too_long"),
    ("lies about its length", webm(ms=1_000, last_ms=3_000_000), "media.too_long"),
    ("no length", mp4(ms=0), "media.broken"),
    ("voice too long", m4a(ms=61_000), "media.too_long"),
    ("voice too long in pieces", m4a(ms=62_000, pieces=True), "media.too_long"),
    ("voice too heavy", m4a() + box(b"mdat", bytes(limits.VOICE_BYTES_MAX)), "media.too_large"),
    ("voice without length", m4a(ms=0), "media.broken"),
    ("no track at all", webm(codec=b""), "media.wrong_type"),
    ("no picture", mp4(width=0, height=0), "media.no_picture"),
    ("other codec", mp4(codec=b"evil"), "media.wrong_type"),
    ("other codec webm", webm(codec=b"V_MJPEG"), "media.wrong_type"),
    ("matroska", webm(doctype=b"matroska"), "media.wrong_type"),
    ("page behind", mp4() + b"<script>alert(1)</script>", "media.broken"),
    ("cut", mp4()[:-10], "media.broken"),
    ("only a head", mp4()[:24], "media.broken"),
]


@pytest.mark.parametrize(("clip", "code"), [c[1:] for c in _BAD_CLIPS], ids=[c[0] for c in _BAD_CLIPS])
def test_a_video_that_is_none_or_too_much_is_refused_by_name(clip: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        video.read(clip)
    assert refused.value.code == code


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([mp4(), webm(), webm(live=True), m4a(ms=2_000, pieces=True)]), st.data())
def test_a_damaged_video_is_refused_or_read_but_breaks_nothing(clip: bytes, data: st.DataObject) -> None:
    damaged = bytearray(clip)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    found = None
    with contextlib.suppress(Refusal):
        found = video.read(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
    assert found is None or 0 < found.duration_ms <= limits.VIDEO_MS_MAX + 500


async def test_a_video_needs_a_poster_that_is_a_picture(web: httpx.AsyncClient, agent: Person) -> None:
    assert (await _upload(web, agent, mp4())).json()["field"] == "poster"
    assert (await _upload(web, agent, mp4(), poster=_SVG)).json()["code"] == "media.wrong_type"


async def test_uploads_have_bounds_that_are_named(
    web: httpx.AsyncClient, agent: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "VIDEO_BYTES_MAX", 1_000)
    large = await _upload(web, agent, mp4(), poster=picture())
    assert (large.status_code, large.json()["code"], large.json()["field"]) == (413, "media.too_large", "file")
    monkeypatch.setattr(limits, "UPLOADS_PER_MINUTE", 0)
    often = await _upload(web, agent, picture())
    assert (often.status_code, often.json()["code"]) == (429, "media.too_often")


async def test_a_full_disk_is_told_and_leaves_nothing_half_stored(
    web: httpx.AsyncClient, agent: Person, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    reply = await _upload(web, agent, picture())
    assert (reply.status_code, reply.json()["code"]) == (507, "storage.full")
    assert await deps.pool.fetchval("select count(*) from media") == 0
    assert [file for file in (deps.settings.data / "media").rglob("*") if file.is_file()] == []


async def _links(web: httpx.AsyncClient, headers: dict[str, str], *ids: str) -> list[str]:
    reply = await web.post("/api/v1/media/links", json={"ids": list(ids)}, headers=headers)
    assert reply.status_code == 200, reply.text
    return [link["id"] for link in reply.json()["links"]]


def _guest(deps: Deps, chat: Chat) -> dict[str, str]:
    return {"Authorization": f"Bearer {auth.sign_visitor(chat.shop, chat.shopper, deps.gate.key, now_ms())}"}


async def _say(deps: Deps, chat: Chat, kind: str, sender: Any, media: str) -> int:
    line = Line(chat.shop, chat.thread, kind, sender, new_id(), "image", body_json({"media": media}), opens=new_id())  # type: ignore[arg-type]
    answers, _ = await append(await deps.pool.acquire(), [line])
    assert answers[0].seq is not None
    return answers[0].seq


async def test_links_are_for_the_uploader_and_for_those_who_see_the_line(
    web: httpx.AsyncClient, deps: Deps, shop: Shop, chat: Chat, agent: Person
) -> None:
    hers, other = _guest(deps, chat), await make_chat(deps.pool, shop.id, "阿木")
    reply = await web.post("/api/v1/media", files={"file": ("x.jpg", picture())}, headers=hers)
    media = reply.json()["id"]
    outsider = await make_person(deps, "far", [shop.id], provider=new_id())
    abroad = await make_person(deps, "abroad", [(await make_shop(deps.pool, "abroad")).id])

    assert await _links(web, hers, media) == [media]
    for headers in (agent.headers, outsider.headers, _guest(deps, other), abroad.headers):
        assert await _links(web, headers, media) == []

    seq = await _say(deps, chat, "shopper", chat.shopper, media)
    assert await _links(web, agent.headers, media) == [media]
    for headers in (outsider.headers, _guest(deps, other), abroad.headers):
        assert await _links(web, headers, media) == []
    await deps.pool.execute("update thread set agent_id = $2 where id = $1", chat.thread, outsider.id)
    assert await _links(web, outsider.headers, media) == [media]
    await deps.pool.execute("update thread set agent_id = null where id = $1", chat.thread)
    assert await _links(web, outsider.headers, media) == []
    await deps.pool.execute("update entry set recalled_at = now() where seq = $1 and thread_id = $2", seq, chat.thread)
    assert await _links(web, agent.headers, media) == []


async def test_writing_down_the_id_of_somebody_elses_upload_gives_no_link_to_it(
    web: httpx.AsyncClient, deps: Deps, shop: Shop, chat: Chat
) -> None:
    reply = await web.post("/api/v1/media", files={"file": ("x.jpg", picture())}, headers=_guest(deps, chat))
    thief = await make_chat(deps.pool, shop.id, "阿木")
    await _say(deps, thief, "shopper", thief.shopper, reply.json()["id"])
    assert await _links(web, _guest(deps, thief), reply.json()["id"]) == []


async def test_a_link_ends_and_cannot_be_bent_to_another_upload(
    web: httpx.AsyncClient, deps: Deps, shop: Shop, agent: Person
) -> None:
    media = (await _upload(web, agent, picture())).json()
    other = await make_shop(deps.pool, "other")
    session = await deps.pool.fetchval("select id from account_session where account_id = $1", agent.id)
    good = auth.MediaLink(UUID(media["id"]), shop.id, agent.id, session)
    old = auth.sign_media(replace(good, media=new_id()), deps.gate.key, now_ms() - 3 * limits.MEDIA_LINK_MS)
    elsewhere = auth.sign_media(replace(good, shop=other.id), deps.gate.key, now_ms())
    forged = auth.sign_media(good, "another key" * 5, now_ms())
    assert (await web.get(f"/media/{auth.sign_media(good, deps.gate.key, now_ms())}/original")).status_code == 200
    assert (await web.get(f"/media/{old}/original")).status_code == 401
    assert (await web.get(f"/media/{elsewhere}/original")).status_code == 404
    assert (await web.get(f"/media/{forged}/original")).status_code == 401
    assert (await web.get(media["original"] + "x")).status_code == 404
    assert (await web.get(f"/media/{agent.token}/original")).status_code == 401


async def test_a_link_that_somebody_holds_is_worth_nothing_once_he_may_see_the_upload_no_longer(
    web: httpx.AsyncClient, deps: Deps, shop: Shop, chat: Chat, agent: Person
) -> None:
    """Taken away, recalled, moved out of the shop, signed out, erased: the next request, not ten minutes later."""
    hers = _guest(deps, chat)
    media = (await web.post("/api/v1/media", files={"file": ("x.jpg", picture())}, headers=hers)).json()
    seq = await _say(deps, chat, "shopper", chat.shopper, media["id"])
    outsider = await make_person(deps, "far", [shop.id], provider=new_id())
    await deps.pool.execute("update thread set agent_id = $2 where id = $1", chat.thread, outsider.id)

    async def link(who: dict[str, str]) -> str:
        reply = await web.post("/api/v1/media/links", json={"ids": [media["id"]]}, headers=who)
        found: str = reply.json()["links"][0]["original"]
        return found

    async def status(path: str) -> int:
        return (await web.get(path)).status_code

    theirs, ours, own = await link(outsider.headers), await link(agent.headers), media["original"]
    assert [await status(path) for path in (theirs, ours, own)] == [200, 200, 200]
    await deps.pool.execute("update thread set agent_id = null where id = $1", chat.thread)
    assert [await status(path) for path in (theirs, ours, own)] == [404, 200, 200]
    await deps.pool.execute("update entry set recalled_at = now() where seq = $1 and thread_id = $2", seq, chat.thread)
    assert [await status(path) for path in (ours, own)] == [404, 200]
    await deps.pool.execute("update entry set recalled_at = null where seq = $1 and thread_id = $2", seq, chat.thread)
    assert await status(ours) == 200
    await deps.pool.execute("delete from account_shop where account_id = $1", agent.id)
    assert await status(ours) == 404
    await deps.pool.execute("insert into account_shop (shop_id, account_id) values ($1, $2)", shop.id, agent.id)
    assert await status(ours) == 200
    assert (await web.post("/api/v1/logout", headers=agent.headers)).status_code == 204
    assert await status(ours) == 404
    await deps.pool.execute("update shopper set erase_asked_at = now() where id = $1", chat.shopper)
    assert await status(own) == 404


async def test_who_has_several_shops_names_the_one_he_uploads_for(
    web: httpx.AsyncClient, deps: Deps, shop: Shop
) -> None:
    two, third = await make_shop(deps.pool, "two"), await make_shop(deps.pool, "third")
    both = await make_person(deps, "both", [shop.id, two.id])
    assert (await _upload(web, both, picture())).status_code == 404
    assert (await _upload(web, both, picture(), shop=str(third.id))).status_code == 404
    assert (await _upload(web, both, picture(), shop=str(two.id))).status_code == 201
