"""Small video files put together by hand, so that each part can be made wrong."""

from __future__ import annotations

import struct


def box(kind: bytes, *payload: bytes) -> bytes:
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def m4a(*, ms: int = 4_000, pieces: bool = False, codec: bytes = b"mp4a") -> bytes:
    """Sound alone; ``pieces``: as a phone's browser writes it while it records, its head without a length."""
    told = 0 if pieces else ms
    mvhd = box(b"mvhd", bytes(4), struct.pack(">IIII", 0, 0, 1_000, told), bytes(80))
    tkhd = box(b"tkhd", bytes(12), struct.pack(">I", 7), bytes(60), struct.pack(">II", 0, 0))
    mdhd = box(b"mdhd", bytes(4), struct.pack(">IIII", 0, 0, 48_000, told * 48), bytes(4))
    stsd = box(b"stsd", struct.pack(">II", 0, 1), box(codec, bytes(28)))
    usual = [box(b"mvex", box(b"trex", struct.pack(">IIIIII", 0, 7, 1, 960, 0, 0)))] if pieces else []
    trak = box(b"trak", tkhd, box(b"mdia", mdhd, box(b"minf", box(b"stbl", stsd))))
    whole = box(b"ftyp", b"iso5", bytes(4), b"iso5mp41") + box(b"moov", mvhd, trak, *usual)
    if not pieces:
        return whole + box(b"mdat", bytes(1_000))
    for at in range(0, ms, 1_000):  # fifty samples of 20 ms each: by the usual length, then written out
        lengths = struct.pack(">50I", *[960] * 50) if at % 2_000 else b""
        run = box(b"trun", struct.pack(">II", 0x100 if lengths else 0, 50), lengths)
        head = box(b"tfhd", struct.pack(">II", 0x020000, 7))
        start = box(b"tfdt", struct.pack(">II", 0, at * 48))
        whole += box(b"moof", box(b"mfhd", bytes(8)), box(b"traf", head, start, run)) + box(b"mdat", bytes(100))
    return whole


def mp4(*, ms: int = 4_000, width: int = 320, height: int = 240, codec: bytes = b"avc1", remark: bytes = b"") -> bytes:
    mvhd = box(b"mvhd", bytes(4), struct.pack(">IIII", 0, 0, 1_000, ms), bytes(80))
    tkhd = box(b"tkhd", bytes(76), struct.pack(">II", width << 16, height << 16))
    mdhd = box(b"mdhd", bytes(4), struct.pack(">IIII", 0, 0, 1_000, ms), bytes(4))
    stsd = box(b"stsd", struct.pack(">II", 0, 1), box(codec, bytes(78)))
    trak = box(b"trak", tkhd, box(b"mdia", mdhd, box(b"minf", box(b"stbl", stsd))))
    moov = box(b"moov", mvhd, trak, *([box(b"udta", box(b"\xa9xyz", remark))] if remark else []))
    return box(b"ftyp", b"isom", bytes(4), b"isomavc1") + moov + box(b"mdat", bytes(1_000))


def element(id_: int, *payload: bytes, unknown: bool = False) -> bytes:
    body = b"".join(payload)
    size = b"\x01" + (b"\xff" * 7 if unknown else len(body).to_bytes(7))
    return id_.to_bytes((id_.bit_length() + 7) // 8) + size + body


def webm(
    *,
    ms: int | None = 4_000,
    last_ms: int = 0,
    codec: bytes = b"V_VP8",
    doctype: bytes = b"webm",
    live: bool = False,
    sound: bool = False,
) -> bytes:
    length = [] if ms is None else [element(0x4489, struct.pack(">d", ms))]
    info = element(0x1549A966, element(0x2AD7B1, (1_000_000).to_bytes(3)), *length)
    picture = element(0xE0, element(0xB0, (320).to_bytes(2)), element(0xBA, (240).to_bytes(2)))
    inside = element(0x86, b"A_OPUS") if sound else element(0x86, codec) + picture
    tracks = element(0x1654AE6B, element(0xAE, inside))
    clusters = b"".join(
        element(0x1F43B675, element(0xE7, at.to_bytes(4)), element(0xA3, b"\x81\x00\x05\x80", bytes(50)), unknown=live)
        for at in (0, last_ms)
    )
    tags = element(0x1254C367, b"made in secret place")
    head = element(0x1A45DFA3, element(0x4282, doctype))
    return head + element(0x18538067, info, tracks, tags, clusters, unknown=live)
