"""Video files: what is written comes back, the same frames give the same bytes, a bad file gives a sentence that names it."""

from __future__ import annotations

import io
import os
import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
import torch

from kinema.core import Clip, UserError
from kinema.core.video import _check_length, fit, read_video, read_video_bytes, video_bytes, write_png, write_video

CAMEL = Path(__file__).parents[3] / "shared" / "samples" / "camel.mp4"


def noise(frames: int = 5, height: int = 32, width: int = 48) -> torch.Tensor:
    return torch.randint(0, 256, (frames, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def smooth(frames: int = 6, size: int = 64) -> torch.Tensor:
    ramp = torch.linspace(0, 1, size)
    across, down = ramp.expand(size, size), ramp[:, None].expand(size, size)
    return torch.stack([torch.stack([across, down, torch.full((size, size), k / frames)]) for k in range(frames)])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("shape", [(5, 32, 48), (1, 16, 16), (3, 17, 33)])
def test_lossless_is_bit_exact(tmp_path: Path, suffix: str, shape: tuple[int, int, int]) -> None:
    rgb = noise(*shape)
    path = tmp_path / f"clip{suffix}"
    write_video(path, rgb, fps=10)
    clip = read_video(path)
    assert torch.equal(clip.rgb, rgb)
    assert clip.fps == 10


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}{suffix}", noise(), fps=24, text="a ball")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_lossy_is_close_and_small() -> None:
    rgb = smooth()
    clip = read_video_bytes(video_bytes(rgb, fps=25, lossless=False))
    assert (clip.rgb.float() / 255 - rgb).abs().mean() < 0.01
    assert len(video_bytes(rgb, fps=25, lossless=False)) < rgb.numel() / 10


@pytest.mark.parametrize("container", [".mp4", ".mkv"])
@pytest.mark.parametrize("rate", [5, 10, 24, 30, Fraction(30000, 1001), 12.5, 7])
def test_fps_is_exact(container: str, rate: float | Fraction) -> None:
    clip = read_video_bytes(video_bytes(noise(8), rate, container=container))
    assert clip.fps == pytest.approx(float(rate), rel=1e-12)
    assert clip.dt == pytest.approx(1 / float(rate), rel=1e-12)
    assert clip.num_frames == 8
    assert "frame_times" not in clip.meta


def test_time_step_and_text_travel_in_the_tags() -> None:
    for container in (".mp4", ".mkv"):
        clip = read_video_bytes(video_bytes(noise(), 5, container=container, dt=0.1, text="two balls collide"))
        assert (clip.fps, clip.dt, clip.text) == (5.0, 0.1, "two balls collide")
    assert read_video_bytes(video_bytes(noise(), 5, dt=0.1), dt=0.5).dt == 0.5


def test_frames_are_cut_exactly() -> None:
    data = video_bytes(noise(9), 10)
    whole = read_video_bytes(data).rgb
    assert torch.equal(read_video_bytes(data, 2, 7).rgb, whole[2:7])
    assert torch.equal(read_video_bytes(data, 8).rgb, whole[8:])
    with pytest.raises(UserError, match="9 frames"):
        read_video_bytes(data, 0, 10)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_picture_is_a_clip_of_one_frame(tmp_path: Path, suffix: str) -> None:
    rgb = (smooth(1)[0] * 255).round().to(torch.uint8)
    path = tmp_path / f"picture{suffix}"
    if suffix == ".png":
        write_png(path, rgb)
    else:
        path.write_bytes(_jpeg(rgb))
    clip = read_video(path)
    assert (clip.num_frames, clip.fps) == (1, 10.0)
    assert (clip.rgb[0].int() - rgb.int()).abs().max() <= (0 if suffix == ".png" else 24)
    assert read_video(path, fps=4).dt == 0.25


@pytest.mark.parametrize("name", ["frame %03d.png", "http:x.png", "a*.mp4", "pipe:0.mkv"])
def test_names_mean_nothing_but_names(tmp_path: Path, name: str) -> None:
    if name.endswith(".png"):
        write_png(tmp_path / name, noise(1)[0])
    else:
        write_video(tmp_path / name, noise(1), 10)
    assert torch.equal(read_video(tmp_path / name).rgb, noise(1))


def test_a_saved_clip_is_read_back(tmp_path: Path) -> None:
    Clip(rgb=noise(), fps=10, dt=0.2).save(tmp_path / "clip.safetensors")
    clip = read_video(tmp_path / "clip.safetensors", 1, 3)
    assert (clip.num_frames, clip.dt) == (2, 0.2)
    assert torch.equal(clip.rgb, noise()[1:3])


def test_uneven_frames_are_read_at_even_times() -> None:
    shown = [0, 1, 2, 6, 7, 8, 9, 10]  # a gap after frame 2: shown until frame 3 is due
    rgb = torch.arange(len(shown), dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 16, 16) * 20
    clip = read_video_bytes(_video_at(rgb, shown))
    assert clip.fps == pytest.approx(7.0)  # seven steps within one second
    assert clip.meta["frame_times"] == "uneven"
    want = [min(range(len(shown)), key=lambda i, k=k: abs(shown[i] - k * 10 / 7)) for k in range(8)]
    assert torch.equal(clip.rgb[:, 0, 0, 0], rgb[want, 0, 0, 0])


def test_a_phone_held_upright_is_turned() -> None:
    rgb = noise(2, 16, 32)
    data = bytearray(video_bytes(rgb, 10))
    at = data.find(b"tkhd") + 4 + 40  # the display matrix of a version-0 track header
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 16 << 16, 0, 1 << 30)  # a quarter turn clockwise
    assert torch.equal(read_video_bytes(bytes(data)).rgb, torch.rot90(rgb, -1, (2, 3)))


def test_fit_takes_the_central_square() -> None:
    rgb = torch.zeros(4, 3, 40, 80, dtype=torch.uint8)
    rgb[..., 20:60] = 200
    clip = fit(Clip(rgb=rgb, fps=20, text="a wall"), 10)
    assert clip.size == (10, 10)
    assert bool((clip.rgb == 200).all())
    assert clip.text == "a wall"
    checks = torch.tensor([[0, 200], [200, 0]], dtype=torch.uint8).repeat(10, 10).expand(1, 3, 20, 20)
    assert bool((fit(Clip(rgb=checks, fps=1), 10).rgb == 100).all())  # the mean of each 2 x 2 block


def test_fit_keeps_physical_time() -> None:
    rgb = (torch.arange(24, dtype=torch.uint8) * 10)[:, None, None, None].expand(-1, 3, 8, 8)
    clip = fit(Clip(rgb=rgb, fps=24, dt=1 / 24), 8, fps=8)
    assert torch.equal(clip.rgb[:, 0, 0, 0], rgb[::3, 0, 0, 0])
    assert clip.dt * (clip.num_frames) == pytest.approx(1.0)


# --- a file that is no good ---------------------------------------------------------------------------------------------


def test_missing_folder_text_empty(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("not a video\n" * 50)
    (tmp_path / "notes.txt").write_text("FFmpeg would play this as a terminal\n" * 50)
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost/x.ts\n")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    for name, words in [
        ("nowhere.mp4", "no such file"), ("", "folder"), ("notes.mp4", "no video"), ("notes.txt", "no video"),
        ("list.mp4", "no video"), ("empty.mp4", "no video"), ("empty.safetensors", "clip"), ("nowhere.safetensors", "no such file"),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=words) as caught:
            read_video(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.mp4"
    write_video(path, noise(), 10)
    path.chmod(0)
    with pytest.raises(UserError, match="no permission"):
        read_video(path)


@pytest.mark.parametrize("container", [".mp4", ".mkv"])
def test_every_truncation_is_noticed(container: str) -> None:
    data = video_bytes(noise(8, 32, 32), 10, container=container)
    for share in (0.05, 0.3, 0.6, 0.8):
        with pytest.raises(UserError, match=r"cut short|damaged|0 frames"):
            read_video_bytes(data[: int(len(data) * share)], name="cut.mp4")


def test_a_video_too_large_for_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinema.core.video._MOST_GB", 1e-5)
    with pytest.raises(UserError, match="5 frames of 48 x 32 px would take"):
        read_video_bytes(video_bytes(noise(), 10))
    assert read_video_bytes(video_bytes(noise(), 10), 0, 2).num_frames == 2


def test_sound_alone_is_no_video() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=8000)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate = 8000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    with pytest.raises(UserError, match="no video stream"):
        read_video_bytes(buffer.getvalue())


def test_bad_frames_are_refused(tmp_path: Path) -> None:
    for rgb, words in [
        (torch.full((2, 3, 8, 8), float("nan")), "NaN"), (noise()[:0], "no pixels"), (noise()[0], "axes"),
        (noise()[:, :2], "axes"), (noise().long(), "uint8"),
    ]:  # fmt: skip
        with pytest.raises(UserError, match=words) as caught:
            write_video(tmp_path / "out.mp4", rgb, 10)
        assert "out.mp4" in str(caught.value)
    for fps in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UserError, match="fps"):
            write_video(tmp_path / "out.mp4", noise(), fps)
    with pytest.raises(UserError, match=r"\.mp4"):
        write_video(tmp_path / "out.txt", noise(), 10)
    with pytest.raises(UserError, match=r"out\.mp4"):
        write_video(tmp_path / "absent" / "out.mp4", noise(), 10)
    assert list(tmp_path.iterdir()) == []


def test_a_saved_clip_that_cannot_be_shown_is_named(tmp_path: Path) -> None:
    one = Clip(rgb=noise(), fps=10)
    broken = one.replace(rgb=torch.full((2, 3, 8, 8), float("nan")))
    for clip, words in [(broken, "NaN"), (Clip.stack([one]), "a batch of clips"), (Clip(fps=10, text="words"), "without rgb")]:
        clip.save(tmp_path / "dream.safetensors")
        with pytest.raises(UserError, match=rf"dream\.safetensors: holds .*{words}"):
            read_video(tmp_path / "dream.safetensors")


def test_a_rate_of_0_is_not_taken_for_none(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", noise(), 10)
    Clip(rgb=noise(), fps=10).save(tmp_path / "a.safetensors")
    for name in ("a.mp4", "a.safetensors"):
        for option in ({"fps": 0.0}, {"dt": 0.0}):
            with pytest.raises(UserError, match="must be above 0"):
                read_video(tmp_path / name, **option)
    with pytest.raises(UserError, match="above 0"):
        fit(Clip(rgb=noise(), fps=10), 8, fps=0.0)


def test_a_strange_duration_is_no_mistake() -> None:
    _check_length(SimpleNamespace(metadata={"DURATION": "two minutes"}), "a.mkv", [0.0, 0.1])
    with pytest.raises(UserError, match="cut short"):
        _check_length(SimpleNamespace(metadata={"DURATION": "00:02:00.0"}), "a.mkv", [0.0, 0.1])


@pytest.mark.skipif(not CAMEL.exists(), reason="shared/samples/camel.mp4 is absent")
def test_a_natural_video(tmp_path: Path) -> None:
    clip = read_video(CAMEL, 10, 14)
    assert clip.rgb.shape == (4, 3, 540, 960)
    assert clip.fps == 30000 / 1001
    small = fit(clip, 64, fps=10)
    assert small.size == (64, 64)
    write_video(tmp_path / "small.mp4", small.rgb, small.fps, lossless=False)
    assert (read_video(tmp_path / "small.mp4").rgb.float() - small.rgb.float()).abs().mean() < 6
    with pytest.raises(UserError, match="camel"):
        read_video_bytes(CAMEL.read_bytes()[:700_000], name="camel.mp4")


def _video_at(rgb: torch.Tensor, times: list[int]) -> bytes:
    """Frames shown at these tenths of a second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as file:
        stream = file.add_stream("libx264rgb", rate=10, options={"qp": "0"})
        stream.height, stream.width, stream.pix_fmt = *rgb.shape[-2:], "rgb24"
        for pixels, time in zip(rgb.permute(0, 2, 3, 1).contiguous().numpy(), times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 10)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return buffer.getvalue()


def _jpeg(rgb: torch.Tensor) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.height, encoder.width, encoder.pix_fmt, encoder.time_base = *rgb.shape[1:], "yuvj444p", Fraction(1, 1)
    encoder.options = {"qmin": "1", "qmax": "2"}
    frame = av.VideoFrame.from_ndarray(rgb.permute(1, 2, 0).contiguous().numpy(), format="rgb24").reformat(format="yuvj444p")
    return b"".join(bytes(p) for p in [*encoder.encode(frame), *encoder.encode()])
