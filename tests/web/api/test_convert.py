"""Videos that some desks cannot play: told at upload, converted where the operator set a program for it."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.web.api.clips import mp4, webm
from tests.web.api.conftest import Person
from wangxin.edge import Deps
from wangxin.storage.objects import Objects
from wangxin.web import convert, media_record, video
from wangxin.web.app import create_app
from wangxin.web.convert import Converter

PROGRAM = """#!{python}
# Stands for an ffmpeg: says how far it is, and writes the film it was given beside it.
import sys
assert sys.argv[sys.argv.index("-c:v") + 1] == "h264"
print("frame=1\\nout_time_us=1000000\\nprogress=continue\\nout_time_us=2000000\\nprogress=end", flush=True)
open(sys.argv[-1], "wb").write(open("{film}", "rb").read())
sys.exit({code})
"""


def poster() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48)).save(out, "JPEG")
    return out.getvalue()


async def upload(web: httpx.AsyncClient, who: Person, content: bytes) -> dict[str, object]:
    files = {"file": ("film.mp4", content, "video/mp4"), "poster": ("p.jpg", poster(), "image/jpeg")}
    reply = await web.post("/api/v1/media", files=files, headers=who.headers)
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


def program(folder: Path, film: bytes, code: int = 0) -> str:
    (folder / "film").write_bytes(film)
    path = folder / "ffmpeg"
    path.write_text(PROGRAM.format(python=sys.executable, film=folder / "film", code=code))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("clip", "plays"),
    [
        (mp4(codec=b"avc1"), True), (mp4(codec=b"hvc1"), False), (mp4(codec=b"hev1"), False),
        (mp4(codec=b"av01"), False),
        (webm(codec=b"V_VP8"), True), (webm(codec=b"V_VP9"), True), (webm(codec=b"V_AV1"), False),
    ],
)  # fmt: skip
def test_what_every_desk_plays_is_known_from_the_file(clip: bytes, plays: bool) -> None:
    assert video.read(clip).plays is plays


async def test_a_phones_film_is_kept_and_said_to_play_perhaps_not(web: httpx.AsyncClient, agent: Person) -> None:
    given = await upload(web, agent, mp4(codec=b"hvc1"))
    assert (given["plays"], given["codecs"], given["play"]) == ("no", "hvc1", given["original"])
    assert (await upload(web, agent, mp4()))["plays"] == "yes"


@pytest.mark.parametrize(
    ("film", "code", "outcome"),
    [(mp4(ms=2_000), 0, "converted"), (mp4(codec=b"hvc1"), 0, "no"), (b"no film", 0, "no"), (mp4(), 1, "no")],
    ids=["good", "still HEVC", "no film", "failed"],
)
async def test_a_phones_film_is_converted_by_the_operators_program_and_checked_again(
    film: bytes, code: int, outcome: str, deps: Deps, agent: Person, tmp_path: Path
) -> None:
    path = program(tmp_path, film, code)
    deps = replace(deps, settings=deps.settings.model_copy(update={"ffmpeg": path}))
    transport = httpx.ASGITransport(create_app(deps.settings, deps, [], demo=True), client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as web:
        clip = mp4(codec=b"hvc1", ms=4_000)
        given = await upload(web, agent, clip)
        assert (given["plays"], given["progress"]) == ("waiting", 0)
        assert await media_record.waiting(deps.pool)
        objects = Objects(deps.settings.data / "media")
        assert await Converter(deps.pool, objects, path).work() == 1
        assert not await media_record.waiting(deps.pool)
        asked = {"ids": [given["id"]]}
        (link,) = (await web.post("/api/v1/media/links", json=asked, headers=agent.headers)).json()["links"]
        assert link["plays"] == outcome
        shown = await web.get(link["play"])
        # What was uploaded stays as it came, as evidence; what is shown is the other one.
        assert (await web.get(link["original"])).content == clip
        assert shown.content == (film if outcome == "converted" else clip)
        assert shown.headers["content-type"] == "video/mp4"


def test_progress_is_read_from_what_the_program_tells() -> None:
    told = [convert.percent_of(line, 4_000) for line in ("frame=3", "out_time_us=1000000", "out_time_us=9000000", "x")]
    assert told == [None, 25, 99, None]
