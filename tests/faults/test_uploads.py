"""Uploads made to break a reader: each is refused by its code within its bounds; everybody else is answered."""

from __future__ import annotations

import asyncio
import base64
import io
import zipfile
import zlib
from math import isqrt

import httpx
import pytest
from PIL import Image

from tests.web.api.clips import mp4
from tests.web.api.conftest import Person, agent, app, deps, merchant, web
from tests.web.api.test_media import _bomb, _upload, picture
from wangxin.model import limits
from wangxin.web import cage
from wangxin.web.cage import Bounds, caged

__all__ = ["agent", "app", "deps", "merchant", "web"]


def _wide(mode: str, side: int, form: str) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (side, side), (200, 60, 20, 128)[: len(mode)]).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize(
    ("mode", "form", "most"),
    [("RGBA", "PNG", limits.IMAGE_PIXELS_MAX), ("RGBA", "WEBP", limits.WEBP_PIXELS_MAX)],
)
async def test_the_largest_picture_that_is_taken_fits_into_the_bounds(mode: str, form: str, most: int) -> None:
    side = isqrt(most)
    about, _ = await caged(
        "wangxin.web.picture_child", _wide(mode, side, form),
        Bounds(limits.IMAGE_CHILD_BYTES_MAX, 60_000, "media.broken", "media.too_large", ""),
    )  # fmt: skip
    assert (about["width"], about["height"]) == (4_096, 4_096)


_OFFICE = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def _sheet_bomb() -> bytes:
    """Fifty megabytes of one shared string after another, in some kilobytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        packed.writestr("xl/sharedStrings.xml", "<sst>" + "<si><t>xy</t></si>" * 2_700_000)
        packed.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_OFFICE}.sheet.main+xml"/>'
            f'<Override PartName="/xl/sharedStrings.xml" ContentType="{_OFFICE}.sharedStrings+xml"/></Types>',
        )
        packed.writestr("xl/workbook.xml", "<workbook/>")
    return out.getvalue()


def _entities() -> bytes:
    """A workbook whose text means a billion words."""
    names = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(
            "[Content_Types].xml", f'<!DOCTYPE T [<!ENTITY l0 "lol">{names}]><Types><Default Extension="&l9;"/></Types>'
        )
    return out.getvalue()


def _flood() -> bytes:
    """A video most of which is one list of how long its samples last."""
    clip = mp4()
    size = 40_000_000
    return clip + (size + 8).to_bytes(4) + b"moof" + size.to_bytes(4) + b"trun" + bytes(size - 8)


async def test_bombs_are_refused_by_code_while_everybody_else_is_answered(
    web: httpx.AsyncClient, agent: Person, merchant: Person
) -> None:
    """A picture of nothing, a picture cut short, a page that is also a picture, a workbook that grows, one whose words
    grow, a video of one long list: and meanwhile a hundred other requests."""
    page = picture("GIF") + b"<script>alert(1)</script>"
    uploads = {
        "bomb": _bomb(12_000, 3_300), "cut": picture("PNG", (900, 900))[:-400], "flood": _flood(),
        "zip": zlib.compress(bytes(10**6)), "page": page,
    }  # fmt: skip
    sheets = {"sheet bomb": _sheet_bomb(), "entities": _entities()}
    found: dict[str, tuple[int, str]] = {}

    async def upload(name: str, content: bytes) -> None:
        reply = await _upload(web, agent, content)
        found[name] = (reply.status_code, reply.json().get("code", ""))
        if reply.status_code == 201:
            assert b"<script>" not in (await web.get(reply.json()["original"])).content

    async def sheet(name: str, content: bytes) -> None:
        asked = {"xlsx": base64.b64encode(content).decode()}
        reply = await web.post("/api/v1/sheets", json=asked, headers=merchant.headers)
        found[name] = (reply.status_code, reply.json()["code"])

    work = asyncio.gather(*(upload(*one) for one in uploads.items()), *(sheet(*one) for one in sheets.items()))
    others = 0
    while not work.done():
        assert (await web.get("/healthz")).status_code == 200
        others += 1
        await asyncio.sleep(0.02)
    await work
    assert others >= 10
    # Whichever of its bounds is met first, memory or time.
    assert found.pop("sheet bomb") in ((422, "sheet.too_large"), (422, "sheet.broken"))
    assert found == {
        "bomb": (422, "media.broken"), "cut": (422, "media.broken"), "flood": (422, "media.broken"),
        "zip": (415, "media.wrong_type"), "page": (201, ""),
        "entities": (422, "sheet.broken"),
    }  # fmt: skip
    assert cage._at_once._value == limits.UPLOADS_AT_ONCE
