"""Codecs: Clip <-> latents."""

from .pixels import PixelCodec, Pixels
from .quantise import FSQ, Codebook, EMACodebook, Grid, Quantised
from .vae import VAE, VideoVAE
from .vq import VQ, FrameVQ

CODECS = {"vae": VAE, "pixels": Pixels, "vq": VQ}

__all__ = [
    "CODECS", "FSQ", "VAE", "VQ", "Codebook", "EMACodebook", "FrameVQ", "Grid", "PixelCodec", "Pixels", "Quantised", "VideoVAE",
]  # fmt: skip
