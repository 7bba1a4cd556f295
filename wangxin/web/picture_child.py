"""Re-encodes one picture in a process of its own, bounded by the system: what breaks a decoder breaks only this.

Reads the picture on stdin, writes one line of JSON and then the bytes it announces: the picture without its remarks
(place, device, owner), and a thumbnail. Run as ``python -m wangxin.web.picture_child``.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import warnings
from typing import Any

from PIL import (
    GifImagePlugin,
    Image,
    ImageCms,
    ImageOps,
    ImageSequence,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from wangxin.model import limits

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# Only these decoders are loaded.
_LOADED = (GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
_STATUS = {"media.wrong_type": 415, "media.too_large": 422, "media.broken": 422}


def _bound() -> None:
    most = limits.IMAGE_CHILD_BYTES_MAX
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    seconds = limits.IMAGE_CHILD_MS_MAX // 1_000
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _to_srgb(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA"):
        return picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        changed = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError):
        return picture  # a profile nobody can read: the colours as they are
    return changed or picture


def _plain(picture: Image.Image) -> Image.Image:
    """Upright, in RGB or RGBA, not larger than what is kept."""
    upright = ImageOps.exif_transpose(picture)
    has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    mode = "RGBA" if has_alpha else "RGB"
    upright = upright if upright.mode == mode else upright.convert(mode)
    upright = _to_srgb(upright)
    upright.thumbnail((limits.IMAGE_SIDE_KEPT, limits.IMAGE_SIDE_KEPT))
    return upright


def _encoded(picture: Image.Image, form: str, **how: Any) -> bytes:
    # A fresh copy of the pixels alone: Pillow passes on remarks that it finds in ``info``.
    clean = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    out = io.BytesIO()
    clean.save(out, form, **how)
    return out.getvalue()


def _animated(picture: Image.Image) -> tuple[bytes, Image.Image]:
    """An animation as WebP, and its first frame."""
    frames, lengths = [], []
    for frame in ImageSequence.Iterator(picture):
        lengths.append(max(20, int(frame.info.get("duration", 100))))
        still = frame.convert("RGBA")
        still.thumbnail((800, 800))
        frames.append(Image.frombytes(still.mode, still.size, still.tobytes()))
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=lengths, loop=0, method=2)
    return out.getvalue(), frames[0]


def reencode(content: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """(what it is, picture, thumbnail). Raises ValueError with a refusal's code."""
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # bounded below, with an answer of ours
    try:
        picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    except (OSError, SyntaxError, ValueError, OverflowError) as why:
        raise ValueError("media.wrong_type") from why
    width, height = picture.size
    frames = getattr(picture, "n_frames", 1)
    if (
        max(width, height) > limits.IMAGE_SIDE_MAX
        or width * height > limits.IMAGE_PIXELS_MAX
        or (picture.format in ("GIF", "WEBP") and frames > limits.IMAGE_FRAMES_MAX)
        or (picture.format in ("GIF", "WEBP", "PNG") and width * height * frames > limits.IMAGE_PIXELS_MAX * 4)
    ):
        raise ValueError("media.too_large")
    try:
        if frames > 1 and picture.format in ("GIF", "WEBP"):
            kept, still = _animated(picture)
            mime = "image/webp"
        else:
            picture.load()
            still = _plain(picture)
            if picture.format == "WEBP":
                kept, mime = _encoded(still, "WEBP", quality=85, method=2), "image/webp"
            elif still.mode == "RGBA" or picture.format in ("PNG", "GIF"):
                kept, mime = _encoded(still, "PNG"), "image/png"
            else:
                kept, mime = _encoded(still, "JPEG", quality=85), "image/jpeg"
        size = still.size
        small = still.copy()
        small.thumbnail((limits.THUMB_SIDE, limits.THUMB_SIDE))
        if small.mode == "RGBA":
            ground = Image.new("RGB", small.size, (255, 255, 255))
            ground.paste(small, mask=small.getchannel("A"))
            small = ground
        thumb = _encoded(small, "JPEG", quality=80)
    except Exception as why:  # decoders raise whatever they like on what was made to break them
        raise ValueError("media.broken") from why
    return {"mime": mime, "width": size[0], "height": size[1]}, kept, thumb


def main() -> int:
    _bound()
    content = sys.stdin.buffer.read()
    try:
        about, kept, thumb = reencode(content)
    except ValueError as why:
        code = str(why) if str(why) in _STATUS else "media.broken"
        sys.stdout.write(json.dumps({"code": code, "status": _STATUS[code]}) + "\n")
        return 0
    except MemoryError:
        sys.stdout.write(json.dumps({"code": "media.too_large", "status": 422}) + "\n")
        return 0
    head = json.dumps({**about, "kept": len(kept), "thumb": len(thumb)}) + "\n"
    sys.stdout.buffer.write(head.encode() + kept + thumb)
    return 0


if __name__ == "__main__":
    sys.exit(main())
