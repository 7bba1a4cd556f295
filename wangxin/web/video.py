"""Reads what a video or a voice says of itself: container, size, length. Pure; decodes nothing, so no decoder can be
attacked and none has to be shipped.

Only files that their parts fill to the last byte pass; whatever else a file may also be (a page, an archive), it is not
a video that ends where its parts end. What a camera wrote down about place and owner is blanked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from wangxin.model import limits
from wangxin.model.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Video:
    mime: str
    duration_ms: int
    width: int
    height: int
    content: bytes
    """The file with its remarks (place, owner, device) blanked."""
    codecs: frozenset[str] = frozenset()
    """Names of picture and sound as the file has them: ``avc1``, ``hvc1``, ``V_VP9`` …"""

    @property
    def plays(self) -> bool:
        """Whether every browser of an agent's desk plays it, whatever the machine. Phones like to film in HEVC, which
        plays where the machine has a licence for it."""
        return self.codecs <= EVERYWHERE

    @property
    def is_voice(self) -> bool:
        """Nothing but sound."""
        return bool(self.codecs) and self.codecs <= _SOUND


def _broken(why: str) -> Refusal:
    return Refusal("media.broken", why, status=422)


def read(content: bytes) -> Video:
    """Raises ``media.wrong_type``, ``media.broken``, ``media.too_long``, ``media.no_picture``."""
    if content[4:8] == b"ftyp":
        return _checked(_mp4(content))
    if content[:4] == b"\x1a\x45\xdf\xa3":
        return _checked(_webm(content))
    raise Refusal("media.wrong_type", "a JPEG, PNG, WebP or GIF picture, or an MP4 or WebM video", status=415)


def _checked(video: Video) -> Video:
    if video.is_voice:
        return _checked_voice(video)
    if video.duration_ms <= 0:
        raise _broken("the video does not say how long it is")
    if video.duration_ms > limits.VIDEO_MS_MAX + 500:
        raise Refusal("media.too_long", f"a video may last {limits.VIDEO_MS_MAX // 1000} s at most", status=422)
    if not (0 < video.width <= limits.IMAGE_SIDE_MAX and 0 < video.height <= limits.IMAGE_SIDE_MAX):
        raise Refusal("media.no_picture", "the video shows no picture", status=422)
    return video


def _checked_voice(voice: Video) -> Video:
    if voice.duration_ms <= 0:
        raise _broken("the voice does not say how long it is")
    if voice.duration_ms > limits.VOICE_MS_MAX + 500:
        raise Refusal("media.too_long", f"a voice may last {limits.VOICE_MS_MAX // 1000} s at most", status=422)
    if len(voice.content) > limits.VOICE_BYTES_MAX:
        raise Refusal("media.too_large", f"a voice may have {limits.VOICE_BYTES_MAX // 2**20} MB at most", status=413)
    return replace(voice, mime=voice.mime.replace("video/", "audio/"), width=0, height=0)


# --- MP4 (ISO/IEC 14496-12) ------------------------------------------------------------------------------------
_CODECS = {b"avc1", b"avc3", b"hvc1", b"hev1", b"vp08", b"vp09", b"av01", b"mp4v", b"mp4a", b"Opus", b"fLaC", b"alac"}
_SOUND = frozenset({"mp4a", "Opus", "fLaC", "alac", "A_OPUS", "A_VORBIS"})
EVERYWHERE = frozenset({"avc1", "avc3", "mp4a", "Opus", "fLaC", "vp08", "vp09", "V_VP8", "V_VP9", "A_OPUS", "A_VORBIS"})
_INSIDE = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf"}
_REMARKS = {b"udta", b"meta", b"uuid"}


class _Count:
    def __init__(self) -> None:
        self.left = limits.VIDEO_BOXES_MAX

    def one(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _broken("too many parts")


def _boxes(content: bytes, at: int, end: int, count: _Count) -> Iterator[tuple[bytes, int, int, int]]:
    """(type, box start, payload start, end) of each box; they fill ``at`` to ``end`` exactly."""
    while at < end:
        count.one()
        if end - at < 8:
            raise _broken("a part is cut off")
        size, kind = struct.unpack_from(">I4s", content, at)
        payload = at + 8
        if size == 1:
            if end - at < 16:
                raise _broken("a part is cut off")
            size, payload = struct.unpack_from(">Q", content, at + 8)[0], at + 16
        elif size == 0:
            size = end - at
        if at + size > end or at + size < payload:
            raise _broken("a part reaches beyond its place")
        yield kind, at, payload, at + size
        at += size


def _mp4(content: bytes) -> Video:
    cleaned = bytearray(content)
    count = _Count()
    duration_ms = width = height = 0
    codecs: set[bytes] = set()
    pieces = _Pieces()

    def walk(at: int, end: int, depth: int) -> None:
        nonlocal duration_ms, width, height
        if depth > 8:
            raise _broken("parts lie too deep")
        for kind, start, payload, stop in _boxes(content, at, end, count):
            if kind in _REMARKS:
                cleaned[start + 4 : start + 8] = b"free"
                cleaned[payload:stop] = bytes(stop - payload)
            elif kind in _INSIDE:
                walk(payload, stop, depth + 1)
            elif kind in (b"mvhd", b"mehd", b"mdhd"):
                if kind != b"mehd":
                    duration_ms = max(duration_ms, _mp4_duration(content, payload, stop))
                if kind == b"mdhd":
                    pieces.scale(content, payload)
            elif kind in pieces.READ:
                pieces.read(kind, content, payload, stop)
            elif kind == b"tkhd" and stop - payload >= 84:
                w, h = struct.unpack_from(">II", content, stop - 8)
                width, height = max(width, w >> 16), max(height, h >> 16)
                pieces.track = struct.unpack_from(">I", content, payload + (20 if content[payload] == 1 else 12))[0]
            elif kind == b"stsd":
                for codec, *_ in _boxes(content, payload + 8, stop, count):
                    codecs.add(codec)

    seen = []
    for kind, start, _payload, stop in _boxes(content, 0, len(content), count):
        seen.append(kind)
        walk(start, stop, 0) if kind in _INSIDE | _REMARKS else None
    if seen[0] != b"ftyp" or b"moov" not in seen:
        raise _broken("not a whole MP4 file")
    if not codecs or not codecs <= _CODECS:
        raise Refusal("media.wrong_type", "a codec that browsers do not play", status=415)
    named = frozenset(codec.decode("latin-1") for codec in codecs)
    return Video("video/mp4", max(duration_ms, pieces.duration_ms()), width, height, bytes(cleaned), named)


def _mp4_duration(content: bytes, payload: int, stop: int) -> int:
    version = content[payload]
    need, at, form = (32, payload + 20, ">IQ") if version == 1 else (20, payload + 12, ">II")
    if stop - payload < need:
        raise _broken("a part is cut off")
    scale, length = struct.unpack_from(form, content, at)
    if scale == 0 or length in (0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF):
        return 0
    return int(length * 1000 // scale)


@dataclass(slots=True)
class _Pieces:
    """Of a file written while it was recorded: its head tells no length, each piece tells how long its samples last."""

    READ = frozenset({b"trex", b"tfhd", b"tfdt", b"trun"})
    track: int = 0
    scales: dict[int, int] = field(default_factory=dict)
    usual: dict[int, int] = field(default_factory=dict)
    """How long a sample of a track lasts where its piece does not say."""
    until: dict[int, int] = field(default_factory=dict)
    lasts: int = 0

    def scale(self, content: bytes, payload: int) -> None:
        """How many units a second has in the track that was named last."""
        at = payload + (20 if content[payload] == 1 else 12)
        self.scales[self.track] = struct.unpack_from(">I", content, at)[0]

    def read(self, kind: bytes, content: bytes, payload: int, stop: int) -> None:
        if stop - payload > limits.VIDEO_LIST_BYTES_MAX:
            raise _broken("a list is too long")
        words = struct.unpack_from(f">{(stop - payload) // 4}I", content, payload)
        if len(words) < 2:
            raise _broken("a part is cut off")
        flags = words[0] & 0xFFFFFF
        if kind == b"trex" and len(words) >= 4:
            self.usual[words[1]] = words[3]
        elif kind == b"tfhd":
            self.track = words[1]
            at = 2 + 2 * bool(flags & 1) + bool(flags & 2)
            self.lasts = words[at] if flags & 8 and at < len(words) else self.usual.get(self.track, 0)
        elif kind == b"tfdt":
            self.until[self.track] = words[1] << 32 | words[2] if words[0] >> 24 and len(words) > 2 else words[1]
        elif kind == b"trun":
            self._run(flags, words)

    def _run(self, flags: int, words: tuple[int, ...]) -> None:
        count, at = words[1], 2 + bool(flags & 1) + bool(flags & 4)
        each = sum(bool(flags & one) for one in (0x100, 0x200, 0x400, 0x800))
        if len(words) - at < count * each:
            raise _broken("a part is cut off")
        length = sum(words[at : at + count * each : each]) if flags & 0x100 else count * self.lasts
        self.until[self.track] = self.until.get(self.track, 0) + length

    def duration_ms(self) -> int:
        scaled = [(until, self.scales.get(track, 0)) for track, until in self.until.items()]
        return max((until * 1000 // scale for until, scale in scaled if scale), default=0)


# --- WebM (Matroska, RFC 9559) ---------------------------------------------------------------------------------
_EBML, _SEGMENT, _INFO, _TRACKS, _CLUSTER, _TAGS = (
    0x1A45DFA3,
    0x18538067,
    0x1549A966,
    0x1654AE6B,
    0x1F43B675,
    0x1254C367,
)
_ATTACHMENTS = 0x1941A469
_TOP = {_INFO, _TRACKS, _CLUSTER, _TAGS, _ATTACHMENTS, 0x114D9B74, 0x1C53BB6B, 0x1043A770}
_WEBM_CODECS = (b"V_VP8", b"V_VP9", b"V_AV1", b"A_OPUS", b"A_VORBIS")


def _number(content: bytes, at: int, end: int, *, keep_mark: bool) -> tuple[int, int, bool]:
    """(value, next position, whether it means "unknown") of an EBML variable-size number."""
    if at >= end or content[at] == 0:
        raise _broken("a part is cut off")
    length = 9 - content[at].bit_length()
    if at + length > end:
        raise _broken("a part is cut off")
    raw = int.from_bytes(content[at : at + length])
    value = raw if keep_mark else raw & ((1 << 7 * length) - 1)
    return value, at + length, not keep_mark and value == (1 << 7 * length) - 1


def _elements(
    content: bytes, at: int, end: int, count: _Count, *, in_cluster: bool = False
) -> Iterator[tuple[int, int, int, int]]:
    """(id, start, payload start, end) of each element; a part of unknown size ends where a top one begins."""
    while at < end:
        count.one()
        start = at
        id_, at, _ = _number(content, at, end, keep_mark=True)
        if in_cluster and id_ in _TOP:
            return
        size, at, unknown = _number(content, at, end, keep_mark=False)
        if unknown:
            if id_ == _CLUSTER:
                stop = at
                for _, _, _, last in _elements(content, at, end, count, in_cluster=True):
                    stop = last
            elif id_ == _SEGMENT:
                stop = end
            else:
                raise _broken("a part of unknown size")
        else:
            stop = at + size
        if stop > end:
            raise _broken("a part reaches beyond its place")
        yield id_, start, at, stop
        at = stop


def _webm(content: bytes) -> Video:
    cleaned = bytearray(content)
    count = _Count()
    scale_ns, length, latest, width, height = 1_000_000, 0.0, 0, 0, 0
    named: set[str] = set()
    top = list(_elements(content, 0, len(content), count))
    if [id_ for id_, *_ in top] != [_EBML, _SEGMENT]:
        raise _broken("not a whole WebM file")
    _, _, at, stop = top[0]
    if b"webm" not in [
        content[p:s].rstrip(b"\x00") for i, _, p, s in _elements(content, at, stop, count) if i == 0x4282
    ]:
        raise Refusal("media.wrong_type", "Matroska, but not WebM", status=415)
    _, _, at, stop = top[1]
    for id_, start, payload, end in _elements(content, at, stop, count):
        if id_ == _INFO:
            for i, _, p, e in _elements(content, payload, end, count):
                if i == 0x2AD7B1:
                    scale_ns = int.from_bytes(content[p:e]) or 1_000_000
                elif i == 0x4489 and e - p in (4, 8):
                    length = struct.unpack(">f" if e - p == 4 else ">d", content[p:e])[0]
        elif id_ == _TRACKS:
            width, height = _webm_tracks(content, payload, end, count, width, height, named)
        elif id_ == _CLUSTER:
            latest = max(latest, _webm_cluster(content, payload, end, count))
        elif id_ in (_TAGS, _ATTACHMENTS) and end - start >= 9:
            cleaned[start:end] = b"\xec\x01" + (end - start - 9).to_bytes(7) + bytes(end - start - 9)
    if not 0 <= length < 1e15:
        raise _broken("the length is no number")
    duration_ms = int(max(length, latest) * scale_ns / 1_000_000)
    return Video("video/webm", duration_ms, width, height, bytes(cleaned), frozenset(named))


def _webm_tracks(
    content: bytes, at: int, end: int, count: _Count, width: int, height: int, named: set[str]
) -> tuple[int, int]:
    for id_, _, payload, stop in _elements(content, at, end, count):
        if id_ != 0xAE:
            continue
        for i, _, p, e in _elements(content, payload, stop, count):
            if i == 0x86:
                codec = content[p:e].rstrip(b"\x00")
                if not codec.startswith(_WEBM_CODECS):
                    raise Refusal("media.wrong_type", "a codec that browsers do not play", status=415)
                named.add(codec.decode("latin-1"))
            if i == 0xE0:
                for j, _, q, f in _elements(content, p, e, count):
                    if j == 0xB0:
                        width = int.from_bytes(content[q:f])
                    elif j == 0xBA:
                        height = int.from_bytes(content[q:f])
    return width, height


def _webm_cluster(content: bytes, at: int, end: int, count: _Count) -> int:
    """The latest time within a cluster, in the file's own unit."""
    base = latest = 0
    for id_, _, payload, stop in _elements(content, at, end, count, in_cluster=True):
        if id_ == 0xE7:
            base = int.from_bytes(content[payload:stop])
            latest = max(latest, base)
        elif id_ == 0xA3 and stop - payload >= 4:
            _, after, _ = _number(content, payload, stop, keep_mark=False)
            if after + 2 <= stop:
                latest = max(latest, base + struct.unpack_from(">h", content, after)[0])
    return latest
