"""Videos that some desks cannot play (HEVC from phones) are converted to H.264 with AAC by a program of the operator's.

wangxin ships no codec: those that read HEVC or write H.264 are under licences and patents that are the operator's to
judge. With ``WANGXIN_FFMPEG`` unset nothing is converted, and the page says that a video may not play. What was
uploaded stays as it came, for evidence; what is shown is the converted one, once it has passed an upload's checks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import tempfile
from pathlib import Path

from wangxin.model import limits
from wangxin.model.refusals import Refusal
from wangxin.storage.objects import Objects
from wangxin.storage.postgres import Pool
from wangxin.web import cage, media_record, video
from wangxin.web.media_record import Media, Plays

log = logging.getLogger("wangxin.convert")

TELL_EVERY_PERCENT = 5


class Converter:
    """Any number may run: a video is taken by one of them."""

    def __init__(self, pool: Pool, objects: Objects, program: str) -> None:
        self._pool, self._objects, self._program = pool, objects, program

    async def work(self) -> int:
        """Converts what waits, one after the other; returns how many that were."""
        done = 0
        while True:
            async with self._pool.acquire() as conn, conn.transaction():
                taken = await media_record.take_one(conn)
            if taken is None:
                return done
            done += 1
            failure = await self._convert(taken)
            plays: Plays = "no" if failure else "converted"
            await media_record.keep_outcome(self._pool, taken, plays, failure)

    async def _convert(self, media: Media) -> str:
        """Why it failed, in a word; empty: it is converted."""
        source = await self._objects.find(media.shop, media.id, "original")
        if source is None:
            return "missing"
        with tempfile.TemporaryDirectory(prefix="wangxin-video-") as folder:
            target = Path(folder) / "play.mp4"
            try:
                async with asyncio.timeout(limits.VIDEO_CONVERT_MS_MAX / 1000):
                    await self._run(media, source, target)
                content = await asyncio.to_thread(target.read_bytes)
                checked = video.read(content)
            except (OSError, TimeoutError, Refusal, _Failed) as why:
                log.warning("video %s could not be converted (%s: %s)", media.id, type(why).__name__, why)
                return str(why) if isinstance(why, _Failed) else type(why).__name__
        if not checked.plays or len(content) > limits.VIDEO_BYTES_MAX:
            log.warning("video %s was converted to what does not play (%s)", media.id, " ".join(checked.codecs))
            return "does not play"
        await self._objects.put(media.shop, media.id, "play", checked.content)
        return ""

    async def _run(self, media: Media, source: Path, target: Path) -> None:
        process = await asyncio.create_subprocess_exec(
            *command(self._program, media.mime, source, target), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, preexec_fn=_bounded,
        )  # fmt: skip
        assert process.stdout is not None, "it was asked for"
        told = 0
        try:
            async for line in process.stdout:
                percent = percent_of(line.decode("ascii", "replace"), media.duration_ms or 0)
                if percent is not None and percent >= told + TELL_EVERY_PERCENT:
                    told = percent
                    await media_record.keep_progress(self._pool, media, percent)
            if await process.wait() != 0:
                raise _Failed(f"exit {process.returncode}")
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


class _Failed(Exception):
    pass


def command(program: str, mime: str, source: Path, target: Path) -> list[str]:
    """One picture and one sound at most, no remarks, no other file or address reached."""
    side = limits.VIDEO_SIDE_KEPT
    return [
        program, "-nostdin", "-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file,pipe",
        "-f", "mp4" if mime == "video/mp4" else "matroska", "-i", str(source),
        "-t", str(limits.VIDEO_MS_MAX // 1000), "-map", "0:v:0", "-map", "0:a:0?", "-map_metadata", "-1", "-dn", "-sn",
        "-vf", f"scale='min({side},iw)':'min({side},ih)':force_original_aspect_ratio=decrease:force_divisible_by=2",
        "-c:v", "h264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k", "-threads", "2",
        "-movflags", "+faststart", "-progress", "pipe:1", "-f", "mp4", "-y", str(target),
    ]  # fmt: skip


def percent_of(line: str, duration_ms: int) -> int | None:
    """How far it is, of a line of the program's progress; None where the line says nothing of it."""
    name, _, value = line.strip().partition("=")
    if name != "out_time_us" or not value.isdigit() or duration_ms <= 0:
        return None
    return min(99, int(value) // 10 // duration_ms)


def _bounded() -> None:
    """In the child: bounds on time and memory, no address to reach, after everybody else."""
    cage.without_network()
    seconds = limits.VIDEO_CONVERT_MS_MAX // 1000 * 2
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    most = limits.VIDEO_CONVERT_BYTES_MAX
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.VIDEO_BYTES_MAX * 2,) * 2)
    os.nice(10)
