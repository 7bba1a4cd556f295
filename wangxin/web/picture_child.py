"""Re-encodes one picture, shut in: without its remarks (place, device, owner), and with a thumbnail.

Run as ``python -m wangxin.web.picture_child`` (``wangxin.web.cage``).
"""

from __future__ import annotations

import io
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
    MpoImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from wangxin.model import limits
from wangxin.model.refusals import Refusal
from wangxin.web.cage import Bounds, main

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# Only these decoders are loaded; once shut in, none could be read any more (MPO is how some cameras write JPEG).
_LOADED = (GifImagePlugin, JpegImagePlugin, MpoImagePlugin, PngImagePlugin, WebPImagePlugin)
_WORDS = {
    "media.wrong_type": "a JPEG, PNG, WebP or GIF picture, an MP4 or WebM video, or a voice",
    "media.too_large": "the picture has too many pixels",
    "media.broken": "the picture cannot be read",
}
BOUNDS = Bounds(
    limits.IMAGE_CHILD_BYTES_MAX, limits.IMAGE_CHILD_MS_MAX, "media.broken", "media.too_large", _WORDS["media.broken"]
)


def _refused(code: str) -> Refusal:
    return Refusal(code, _WORDS[code], status=415 if code == "media.wrong_type" else 422)


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
    has_alpha = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    mode = "RGBA" if has_alpha else "RGB"
    plain = picture if picture.mode == mode else picture.convert(mode)
    plain.thumbnail((limits.IMAGE_SIDE_KEPT, limits.IMAGE_SIDE_KEPT))  # first: all else then costs less
    return _to_srgb(ImageOps.exif_transpose(plain))


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


def reencode(content: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """What it is, the picture, the thumbnail. Raises ``media.wrong_type``, ``media.too_large``, ``media.broken``."""
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # bounded below, with an answer of ours
    try:
        picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    except (OSError, SyntaxError, ValueError, OverflowError) as why:
        raise _refused("media.wrong_type") from why
    width, height = picture.size
    frames = getattr(picture, "n_frames", 1)
    if (
        max(width, height) > limits.IMAGE_SIDE_MAX
        or width * height > (limits.WEBP_PIXELS_MAX if picture.format == "WEBP" else limits.IMAGE_PIXELS_MAX)
        or (picture.format in ("GIF", "WEBP") and frames > limits.IMAGE_FRAMES_MAX)
        or (picture.format in ("GIF", "WEBP", "PNG") and width * height * frames > limits.IMAGE_PIXELS_MAX * 4)
    ):
        raise _refused("media.too_large")
    try:
        if frames > 1 and picture.format in ("GIF", "WEBP"):
            kept, still = _animated(picture)
            mime = "image/webp"
        else:
            picture.load()
            if hasattr(picture, "_decoder"):
                picture._decoder = None  # WebP's holds the whole picture twice more
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
    except MemoryError:
        raise
    except Exception as why:  # decoders raise whatever they like on what was made to break them
        raise _refused("media.broken") from why
    about = {"mime": mime, "width": size[0], "height": size[1], "kept": len(kept), "thumb": len(thumb)}
    return about, [kept, thumb]


if __name__ == "__main__":
    Image.preinit()
    sys.exit(main(reencode, BOUNDS))
