"""The usual case of a line's bytes: one or more whole text messages, unfragmented. Everything else is the library's."""

from __future__ import annotations

from wangxin.model import limits

try:
    from websockets.speedups import apply_mask
except ImportError:  # a build of the library without its C part
    from websockets.utils import apply_mask

_TEXT, _MASKED = 0x81, 0x80
"""First byte of a final, unfragmented text frame; the bit of the second that says its payload is masked."""
UNKNOWN = -1


def texts(data: bytes) -> list[bytes] | None:
    """The payloads, where ``data`` is nothing but such messages, each with its end; else None.

    ``data`` begins between two frames.
    """
    found: list[bytes] = []
    at, size = 0, len(data)
    while at < size:
        if size - at < 6 or data[at] != _TEXT:
            return None
        length, begin = data[at + 1] - _MASKED, at + 6
        if length == 126:
            length, begin = data[at + 2] << 8 | data[at + 3], at + 8
        elif not 0 <= length < 126:
            return None  # not masked, or longer than any message may be
        at = begin + length
        if at > size or length > limits.FRAME_BYTES_MAX:
            return None
        found.append(apply_mask(data[begin:at], data[begin - 4 : begin]))
    return found


def missing(data: bytes, at: int = 0) -> int:
    """How many bytes the last frame of ``data`` lacks (0: it ends between two frames), UNKNOWN where its header is cut.

    A frame begins at ``at``, or none does any more in this piece and ``at`` is where the next one will.
    """
    size = len(data)
    while at < size:
        have = size - at
        if have < 2:
            return UNKNOWN
        length, header = data[at + 1] & 0x7F, 6
        if length == 126:
            length, header = int.from_bytes(data[at + 2 : at + 4]), 8
        elif length == 127:
            length, header = int.from_bytes(data[at + 2 : at + 10]), 14
        if have < header:
            return UNKNOWN
        at += header + length
    return at - size
