"""Uploads: pictures, short videos, voices. Typed by what they are and never by their name; links are signed."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile

from wangxin import auth, clock
from wangxin.edge import Deps, Known
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, not_found
from wangxin.protocol.base import Id
from wangxin.storage.objects import Objects, Variant
from wangxin.web import media_record, video_child
from wangxin.web.login import Asked
from wangxin.web.media_record import Media, Plays
from wangxin.web.pictures import reencode
from wangxin.web.rate import Rate

_VIDEO_HEADS = (b"\x1a\x45\xdf\xa3",)
_UNWANTED = re.compile(r"[\x00-\x1f\x7f/\\<>\"]|[\u202a-\u202e\u2066-\u2069]")
_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "picture, video or voice"},
                        "poster": {
                            "type": "string",
                            "format": "binary",
                            "description": "with a video: one of its frames, as a picture",
                        },
                        "shop": {"type": "string", "format": "uuid", "description": "needed by who has several shops"},
                    },
                }
            }
        },
    }
}


class MediaLink(BaseModel):
    """``original``, ``thumb`` and ``play`` are links for ten minutes; ``thumb`` is a small JPEG (of a video: its
    poster; of a voice there is none), ``play`` is what to show: of a video that was converted, that one.

    ``plays``: whether every desk plays it; while it is ``waiting``, ``progress`` tells how far its conversion is, in
    percent. ``codecs``: what the file is made of.
    """

    id: UUID
    kind: str
    mime: str
    bytes: int
    width: int
    height: int
    duration_ms: int | None
    original: str
    thumb: str
    play: str
    plays: Plays
    progress: int
    codecs: str
    expires_ms: int


class LinksAsked(Asked):
    ids: Annotated[tuple[Id, ...], Field(max_length=limits.MEDIA_IDS_MAX, strict=False)]


class Links(BaseModel):
    """Of those asked for, the ones the asker may see."""

    links: tuple[MediaLink, ...]


def _link(media: Media, who: Known, key: str, now_ms: int) -> MediaLink:
    signed = auth.sign_media(auth.MediaLink(media.id, media.shop, who.actor.id, who.session), key, now_ms)
    return MediaLink(
        id=media.id, kind=media.kind, mime=media.mime, bytes=media.bytes, width=media.width, height=media.height,
        duration_ms=media.duration_ms, original=f"/media/{signed}/original", thumb=f"/media/{signed}/thumb",
        play=f"/media/{signed}/{'play' if media.plays == 'converted' else 'original'}", plays=media.plays,
        progress=media.progress, codecs=media.codecs,
        expires_ms=now_ms + limits.MEDIA_LINK_MS,
    )  # fmt: skip


async def _whole(part: object, field: str, most: int) -> bytes:
    if not isinstance(part, UploadFile):
        raise Refusal("request.invalid", "a file is missing", field=field, status=422)
    content = await part.read(most + 1)
    if len(content) > most:
        raise Refusal("media.too_large", f"at most {most // 2**20} MB", field=field, status=413)
    return content


def _shop(actor: Actor, asked: object) -> UUID:
    if asked is None and len(actor.shops) == 1:
        return next(iter(actor.shops))
    try:
        return Deps.belongs(actor, UUID(str(asked)))
    except ValueError:
        raise not_found("shop") from None


def router(deps: Deps, rate: Rate, objects: Objects) -> APIRouter:
    routes = APIRouter(prefix="/media", tags=["media"])
    chatting = deps.require(Role.SHOPPER, Role.AGENT, Role.MERCHANT)

    @routes.post("", status_code=201, openapi_extra=_UPLOAD)
    async def upload(request: Request, actor: Actor = Depends(chatting)) -> MediaLink:
        """Store a picture (10 MB), a video (60 s, 50 MB) or a voice (60 s, 4 MB). Pictures are re-encoded without place
        and device."""
        # The body is read here and not by a parameter: who may not upload must not fill the disk first.
        now = clock.now_ms()
        await rate.spend("upload", str(actor.id), limits.UPLOADS_PER_MINUTE, now, code="media.too_often")
        async with request.form(max_files=2, max_fields=4) as form:
            shop = _shop(actor, form.get("shop"))
            content = await _whole(form.get("file"), "file", limits.VIDEO_BYTES_MAX)
            is_video = content[4:8] == b"ftyp" or content.startswith(_VIDEO_HEADS)
            checked = await video_child.read(content) if is_video else None
            shows = checked is not None and not checked.is_voice
            poster = await _whole(form.get("poster"), "poster", limits.IMAGE_BYTES_MAX) if shows else b""
            name = str(getattr(form.get("file"), "filename", "") or "")
        media_id = clock.new_id()
        if checked is not None:
            thumb = (await reencode(poster)).thumb if shows else None
            kind, kept, mime = "video" if shows else "voice", checked.content, checked.mime
            width, height, duration_ms = checked.width, checked.height, checked.duration_ms
            codecs = " ".join(sorted(checked.codecs))
            plays: Plays = "yes" if checked.plays else "waiting" if deps.settings.ffmpeg else "no"
        else:
            if len(content) > limits.IMAGE_BYTES_MAX:
                raise Refusal("media.too_large", "a picture may have 10 MB at most", field="file", status=413)
            picture = await reencode(content)
            kind, kept, thumb, mime = "image", picture.content, picture.thumb, picture.mime
            width, height, duration_ms, codecs, plays = picture.width, picture.height, None, "", "yes"
        media = Media(
            shop, media_id, kind, mime, len(kept), width, height, duration_ms,
            _UNWANTED.sub("", name)[:100], codecs, plays,
        )  # fmt: skip
        await objects.put(shop, media_id, "original", kept)
        if thumb is not None:
            await objects.put(shop, media_id, "thumb", thumb)
        async with deps.scope(actor, shop) as conn:
            await media_record.keep(conn, media, actor.id, hashlib.sha256(kept).digest())
        return _link(media, await deps.known(request), deps.gate.key, clock.now_ms())

    @routes.post("/links")
    async def links(asked: LinksAsked, request: Request, actor: Actor = Depends(chatting)) -> Links:
        """Fresh links for uploads that are one's own, or stand in a thread one may see."""
        async with deps.scope(actor) as conn:
            found = await media_record.visible(conn, actor, asked.ids)
        now, who = clock.now_ms(), await deps.known(request)
        return Links(links=tuple(_link(media, who, deps.gate.key, now) for media in found))

    return routes


_AS_A_FILE = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, max-age=600",
}
_SUFFIX = {
    "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "video/mp4": "mp4", "video/webm": "webm",
    "audio/mp4": "m4a", "audio/webm": "webm",
}  # fmt: skip


def serving(deps: Deps, objects: Objects) -> APIRouter:
    """``/media/<signed>/<variant>``: the link is one person's, ends soon, and counts while he may see the upload."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/media/{signed}/{variant}")
    async def serve(signed: str, variant: Variant) -> Response:
        link = auth.verify_media(signed, deps.gate.key, clock.now_ms())
        actor = await deps.gate.still(link.who, link.session, link.shop)
        if actor is None or link.shop not in actor.shops:
            raise not_found("media")
        async with deps.scope(actor, link.shop) as conn:
            found = await media_record.visible(conn, actor, [link.media])
        path = await objects.find(link.shop, link.media, variant)
        if not found or path is None:
            raise not_found("media")
        media = found[0]
        mime = {"original": media.mime, "thumb": "image/jpeg", "play": "video/mp4"}[variant]
        return FileResponse(
            path, media_type=mime, headers=_AS_A_FILE, filename=f"{media.id.hex}.{_SUFFIX[mime]}",
            content_disposition_type="attachment",
        )  # fmt: skip

    return routes
