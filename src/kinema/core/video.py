"""Video and picture files: deterministic bytes out, frames at even times in, one sentence where a file is no good."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import av
import torch
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from torch import Tensor
from torch.nn import functional

from .clip import Clip, as_float, as_uint8
from .errors import UserError
from .files import write_whole

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".gif", ".m4v")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
IMAGE_FPS = 10.0
_MOST_GB = 8

# Without this list FFmpeg would also "play" text files, and follow playlists to other files and hosts.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,mpeg,flv,ogg,h264,hevc,ivf,"
    "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,apng"
)
_CONTAINERS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}
_LOSSLESS = {
    # ultrafast with CABAC: a tenth smaller than superfast on planar worlds, and quicker
    "h264": ("libx264rgb", "rgb24", {"qp": "0", "preset": "ultrafast", "x264-params": "cabac=1"}),
    "ffv1": ("ffv1", "bgr0", {"level": "3", "slicecrc": "1"}),
}
_BITEXACT = 0x00800000  # AV_CODEC_FLAG_BITEXACT: no encoder version in the stream
_BT601, _LIMITED = 6, 1  # what swscale does to rgb, said in the file so that players undo the same


# --- writing -----------------------------------------------------------------------------------------------------------


def write_video(
    path: str | os.PathLike[str],
    rgb: Tensor,
    fps: float | Fraction,
    lossless: bool = True,
    *,
    crf: int = 18,
    dt: float | None = None,
    text: str | None = None,
    given: int | None = None,
) -> None:
    """Write rgb [t,3,h,w] (uint8, or float in [0,1]) as .mp4, .mov or .mkv; the same frames give the same bytes.

    Lossless is bit exact on rgb: H.264 RGB in .mp4 (VLC, mpv, ffmpeg play it, browsers often do not), FFV1 with checksums
    in .mkv. Lossy is H.264 4:2:0 at `crf`, which everything plays (4:4:4 where a side is odd). `dt` [s], `text` and
    the number of frames that were `given` to the model that dreamt the rest go into the file's tags. Raises UserError where
    the path, the frames or the rate cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _CONTAINERS:
        raise UserError(f"{path}: a video is written as {', '.join(_CONTAINERS)}")
    try:
        data = video_bytes(rgb, fps, lossless, container=suffix, crf=crf, dt=dt, text=text, given=given)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    write_whole(path, data)


def video_bytes(
    rgb: Tensor,
    fps: float | Fraction,
    lossless: bool = True,
    *,
    container: str = ".mp4",
    crf: int = 18,
    dt: float | None = None,
    text: str | None = None,
    given: int | None = None,
) -> bytes:
    """The bytes `write_video` writes.

    >>> rgb = torch.zeros(3, 3, 16, 16, dtype=torch.uint8)
    >>> bool((read_video_bytes(video_bytes(rgb, fps=10)).rgb == rgb).all())
    True
    """
    frames = _frames(rgb)
    rate = _rate(fps)
    codec, pixels, options = _LOSSLESS["ffv1" if container == ".mkv" else "h264"]
    if not lossless:
        even = frames.shape[1] % 2 == 0 and frames.shape[2] % 2 == 0
        codec, pixels, options = "libx264", "yuv420p" if even else "yuv444p", {"crf": str(crf), "preset": "medium"}
    try:
        return _encode(frames, rate, _CONTAINERS[container], codec, pixels, options, text, _comment(dt, given))
    except FFmpegError as error:
        height, width = frames.shape[1:3]
        raise UserError(f"frames of {width} x {height} px cannot be encoded with {codec} ({error.strerror})") from None


def _encode(
    frames: Tensor, rate: Fraction, container: str, codec: str, pixels: str, options: dict[str, str], text: str | None, comment: str
) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options={"fflags": "+bitexact"}) as file:
        if text is not None:
            file.metadata["title"] = text
        if comment:
            file.metadata["comment"] = comment
        stream: Any = file.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pixels
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= _BITEXACT
        if pixels.startswith("yuv"):
            stream.codec_context.colorspace, stream.codec_context.color_range = _BT601, _LIMITED
        for i, pixels_of_frame in enumerate(frames.numpy()):
            frame = av.VideoFrame.from_ndarray(pixels_of_frame, format="rgb24")
            frame.pts, frame.time_base = i, 1 / rate
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return buffer.getvalue()


def _comment(dt: float | None, given: int | None) -> str:
    """What a tag says: `dt=0.1 s; given=5`; `_tagged` reads it."""
    return "; ".join([*([f"dt={dt!r} s"] if dt is not None else []), *([f"given={given}"] if given is not None else [])])


def write_png(path: str | os.PathLike[str], rgb: Tensor) -> None:
    """Write a picture [3,h,w] (uint8, or float in [0,1]) as PNG; the same pixels give the same bytes."""
    write_whole(path, png_bytes(rgb))


def png_bytes(rgb: Tensor) -> bytes:
    """The bytes `write_png` writes."""
    pixels = _frames(rgb[None])[0]
    height, width = pixels.shape[:2]
    rows = torch.cat([torch.zeros(height, 1, dtype=torch.uint8), pixels.reshape(height, -1)], 1)  # filter 0 in every row
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.numpy().tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _frames(rgb: Tensor) -> Tensor:
    """rgb [t,3,h,w] checked, as contiguous uint8 [t,h,w,3]."""
    if rgb.ndim != 4 or rgb.shape[1] != 3:
        raise UserError(f"frames to write must have axes [t, 3, h, w], got shape {tuple(rgb.shape)}")
    if 0 in rgb.shape:
        raise UserError(f"there are no pixels to write: shape {tuple(rgb.shape)}")
    if rgb.dtype != torch.uint8:
        if not rgb.is_floating_point():
            raise UserError(f"frames to write must be uint8 or float in [0, 1], got {rgb.dtype}")
        if not torch.isfinite(rgb).all():
            raise UserError("the frames hold NaN or infinite pixels")
    return as_uint8(rgb.detach()).cpu().permute(0, 2, 3, 1).contiguous()


def _rate(fps: float | Fraction) -> Fraction:
    """fps as FFmpeg wants it: 10.0 is 10, 29.97002997 is 30000/1001."""
    try:
        rate = Fraction(fps).limit_denominator(1001)
    except (ValueError, OverflowError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise UserError(f"fps must be above 0 and at most 1000, got {fps}")
    return rate


# --- reading -----------------------------------------------------------------------------------------------------------


def read_video(
    path: str | os.PathLike[str], start: int = 0, stop: int | None = None, *, fps: float | None = None, dt: float | None = None
) -> Clip:
    """Frames start..stop-1 of a video file as a Clip: rgb [t,3,h,w] uint8, fps, dt = 1/fps s unless tagged or given.

    `fps` overrides the rate that the file states. A picture is a Clip of one frame, at 10 fps; a .safetensors file is a
    saved Clip. Phones' rotation is applied. Where the frames of a file are unevenly spaced, the Clip holds at each time
    k/fps (fps = their mean rate) the frame that is nearest, and `meta["frame_times"]` says "uneven". Raises UserError
    naming the file where it is missing, a folder, not allowed to be read, no video, empty, truncated, damaged, too large
    for the memory, or where a saved clip is a batch or has NaN pixels or none.
    """
    source = Path(path)
    if source.suffix.lower() == ".safetensors":
        _open(source).close()
        clip = _saved(source)
        clip = clip.replace(fps=clip.fps if fps is None else fps, dt=clip.dt if dt is None else dt)
        return clip if (start, stop) == (0, None) else clip.frames(start, stop)
    with _open(source) as file:
        return _read(file, str(path), start, stop, fps, dt)


def read_video_bytes(
    data: bytes, start: int = 0, stop: int | None = None, *, name: str = "video", fps: float | None = None, dt: float | None = None
) -> Clip:
    """`read_video` of bytes in memory; `name` stands for the file in errors."""
    return _read(io.BytesIO(data), name, start, stop, fps, dt)


def fit(clip: Clip, size: int, fps: float | None = None) -> Clip:
    """A user's clip as a model wants it: the central square, resized to size x size (area average), played at `fps`.

    Only rgb and text are kept. At another rate, the frame nearest to each time k/fps is taken and dt grows accordingly.
    Raises UserError where size or fps is not above 0.
    """
    if size < 1 or (fps is not None and not fps > 0):
        raise UserError(f"a clip cannot be fitted to {size} px at {fps} fps: both must be above 0")
    rgb = clip.rgb
    height, width = rgb.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    rgb = rgb[..., top : top + side, left : left + side]
    if fps is not None and fps != clip.fps:
        rgb = rgb[nearest_frames(clip.num_frames, clip.fps, fps)]
    if side != size:
        mode = {"mode": "area"} if side > size else {"mode": "bilinear", "align_corners": False}
        rgb = as_uint8(functional.interpolate(as_float(rgb), (size, size), **mode))
    fps = clip.fps if fps is None else fps
    return clip.only("rgb", "text").replace(rgb=rgb, fps=fps, dt=clip.dt * clip.fps / fps)


def nearest_frames(count: int, fps: float, new_fps: float) -> Tensor:
    """Of `count` frames at `fps`, the places of those that are nearest to the times k / `new_fps`."""
    most = max(1, round(count * new_fps / fps))
    return ((torch.arange(most) * fps / new_fps) + 0.5).long().clamp(max=count - 1)


class Reel:
    """A video file read frame by frame, for what does not fit into memory: `fps`, `num_frames` (at even times, as `read_video`),
    `size` (height, width) in px.

    Raises UserError naming the file as `read_video` does.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with _open(self.path) as file, _sentences(str(path)), _container(file, str(path)) as container:
            self._timing = _timing(container, str(path), None)
            codec = container.streams.video[0].codec_context
            self.size = (int(codec.height), int(codec.width))  # as stored: before phones' rotation
        self.fps, self.num_frames = self._timing.fps, len(self._timing.pick)

    def frames(self, short_side: int | None = None) -> Iterator[Tensor]:
        """Every frame [3,h,w] uint8 in order, shrunk (area average) to a shorter side of `short_side` px where it is larger."""
        pick, at, to_rgb, first = self._timing.pick, 0, VideoReformatter(), None
        with _open(self.path) as file, _sentences(str(self.path)), _container(file, str(self.path)) as container:
            for i, frame in enumerate(container.decode(video=0)):
                if at < len(pick) and pick[at] == i:
                    if frame.is_corrupt:
                        raise UserError(f"{self.path}: frame {i} is damaged")
                    pixels = _pixels(frame, to_rgb, short_side)
                    first = pixels if first is None else first
                    if pixels.shape != first.shape:
                        raise UserError(f"{self.path}: the frames change size within the video")
                    while at < len(pick) and pick[at] == i:
                        at += 1
                        yield pixels
        if at < len(pick):
            raise UserError(f"{self.path}: the video is damaged or cut short: frame {pick[at]} cannot be decoded")


def _saved(path: Path) -> Clip:
    clip = Clip.load(path)
    if clip.batched or not clip.has("rgb"):
        raise UserError(f"{path}: holds {'a batch of clips' if clip.batched else 'a clip without rgb'}; one clip with rgb was expected")
    if clip.rgb.is_floating_point() and not bool(torch.isfinite(clip.rgb).all()):
        raise UserError(f"{path}: holds NaN or infinite pixels")
    return clip


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, a video file was expected") from None
    except PermissionError:
        raise UserError(f"{path}: no permission to read it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


@dataclass(frozen=True)
class _Timing:
    """When the frames of a stream are shown: `pick` holds, for each even time, the index of the stored frame."""

    fps: float
    pick: list[int]
    even: bool


def _read(file: BinaryIO, name: str, start: int, stop: int | None, fps: float | None, dt: float | None) -> Clip:
    with _sentences(name):
        if file.seek(0, os.SEEK_END) == 0:
            raise UserError(f"{name}: is empty (0 bytes), no video")
        file.seek(0)
        with _container(file, name) as container:
            timing = _timing(container, name, fps)
            tags = {key.lower(): value for key, value in container.metadata.items()}
        total = len(timing.pick)
        stop = total if stop is None else stop
        if not 0 <= start < stop <= total:
            raise UserError(f"{name}: frames {start} to {stop} were asked of a video of {total} frames")
        file.seek(0)
        with _container(file, name) as container:
            _check_memory(container, name, stop - start)
            rgb = _decode(container, name, timing.pick[start:stop])
    step, given = _tagged(tags)
    meta: dict[str, Any] = {"file": name} | ({} if timing.even else {"frame_times": "uneven"})
    if given is not None:
        meta["condition_frames"] = max(given - start, 0)
    return Clip(rgb=rgb, fps=timing.fps, dt=step if dt is None else dt, text=tags.get("title"), meta=meta)


@contextlib.contextmanager
def _sentences(name: str) -> Iterator[None]:
    try:
        yield
    except FFmpegError as error:
        raise UserError(f"{name}: cannot be read as a video; it is damaged, cut short or no video ({error.strerror})") from None
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror})") from None


def _container(file: BinaryIO, name: str) -> Any:
    container = av.open(_Nameless(file), options={"format_whitelist": _FORMATS})
    if not container.streams.video:
        container.close()
        raise UserError(f"{name}: holds no video stream")
    container.streams.video[0].codec_context.thread_count = 1
    return container


class _Nameless:
    """A file without its name, from which FFmpeg would guess the format: `%d.png` would be a series of files."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _timing(container: Any, name: str, fps: float | None) -> _Timing:
    stream = container.streams.video[0]
    packets = [p for p in container.demux(stream) if p.size]
    if any(p.is_corrupt for p in packets):
        raise UserError(f"{name}: the video is damaged or cut short")
    shown = [p for p in packets if not p.is_discard]
    if not shown:
        raise UserError(f"{name}: the video has 0 frames")
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    stamps = [p.pts if p.pts is not None else p.dts for p in shown]
    if len(shown) == 1 or any(s is None for s in stamps):
        picture = len(shown) == 1 and container.format.name.endswith("_pipe")
        return _Timing((IMAGE_FPS if picture else rate or IMAGE_FPS) if fps is None else fps, list(range(len(shown))), True)
    times = [float(s * stream.time_base) for s in sorted(stamps)]
    _check_length(stream, name, times)
    return _even(times, rate, float(stream.time_base), fps)


def _even(times: list[float], rate: float, tick: float, fps: float | None) -> _Timing:
    """Even times over the frames' own; a rounding of two ticks is not unevenness."""
    steps = [b - a for a, b in pairwise(times)]
    mean = (times[-1] - times[0]) / len(steps)
    if mean <= 0:
        return _Timing((rate or IMAGE_FPS) if fps is None else fps, list(range(len(times))), True)
    if max(steps) - min(steps) <= max(2.001 * tick, 0.01 * mean):
        # The stated rate is exact where the stamps are rounded; it is believed where it agrees with them.
        own = rate if abs(rate * mean - 1) < 0.01 else 1 / mean
        return _Timing(own if fps is None else fps, list(range(len(times))), True)
    pick = [_nearest(times, times[0] + k * mean) for k in range(len(times))]
    return _Timing(1 / mean if fps is None else fps, pick, False)


def _nearest(times: list[float], time: float) -> int:
    i = min(bisect_left(times, time), len(times) - 1)
    return i - 1 if i > 0 and time - times[i - 1] <= times[i] - time else i


def _check_length(stream: Any, name: str, times: list[float]) -> None:
    """Matroska states how long a stream is; one that ends earlier was cut."""
    stated = {key.upper(): value for key, value in stream.metadata.items()}.get("DURATION")
    if stated is None:
        return
    try:
        hours, minutes, seconds = stated.split(":")
        missing = int(hours) * 3600 + int(minutes) * 60 + float(seconds) - times[-1]
    except ValueError:  # anybody may write such a tag
        return
    if missing > 2.5 * (times[-1] - times[0]) / (len(times) - 1) + 0.01:
        raise UserError(f"{name}: the video is cut short: the last {missing:.2f} s of {stated} are missing")


def _check_memory(container: Any, name: str, frames: int) -> None:
    stream = container.streams.video[0].codec_context
    gigabytes = frames * 3 * stream.width * stream.height / 1e9
    if gigabytes > _MOST_GB:
        raise UserError(
            f"{name}: {frames} frames of {stream.width} x {stream.height} px would take {gigabytes:.0f} GB of memory, the most is"
            f" {_MOST_GB} GB; cut it or make it smaller first"
        )


def _decode(container: Any, name: str, pick: list[int]) -> Tensor:
    wanted, frames, to_rgb = set(pick), {}, VideoReformatter()
    for i, frame in enumerate(container.decode(video=0)):
        if i in wanted:
            if frame.is_corrupt:
                raise UserError(f"{name}: frame {i} is damaged")
            frames[i] = _pixels(frame, to_rgb)
        if i >= pick[-1]:
            break
    missing = next((i for i in pick if i not in frames), None)
    if missing is not None:
        raise UserError(f"{name}: the video is damaged or cut short: frame {missing} cannot be decoded")
    if len({frame.shape for frame in frames.values()}) > 1:
        raise UserError(f"{name}: the frames change size within the video")
    return torch.stack([frames[i] for i in pick]).contiguous()


def _pixels(frame: Any, to_rgb: Any, short_side: int | None = None) -> Tensor:
    turns, short = round(frame.rotation / 90) % 4, min(frame.width, frame.height)
    if short_side is not None and short_side < short:
        width, height = (max(1, round(side * short_side / short)) for side in (frame.width, frame.height))
        frame = to_rgb.reformat(frame, width=width, height=height, format="rgb24", interpolation="AREA")
    if frame.format.name != "gbrp":  # which H.264 RGB already is: half of the time to read a small clip went here
        frame = to_rgb.reformat(frame, format="rgb24")
    rgb = torch.from_numpy(frame.to_ndarray()).permute(2, 0, 1)
    return torch.rot90(rgb, turns, (1, 2)) if turns else rgb


def _tagged(tags: dict[str, str]) -> tuple[float | None, int | None]:
    """(dt, given frames) as `_comment` wrote them; None where the tag says nothing of the kind."""
    said = dict(entry.partition("=")[::2] for entry in tags.get("comment", "").split("; "))
    dt, given = said.get("dt", ""), said.get("given", "")
    step = None
    if dt.endswith(" s"):
        with contextlib.suppress(ValueError):
            step = float(dt[:-2]) or None
    return step, int(given) if given.isdecimal() else None
