"""Objectives: what is learnt."""

from .adversary import Patches, PatchGAN
from .denoise import Denoise, Encoded
from .reconstruct import Reconstruct, Reconstruction
from .times import HighNoise, LogitNormal, UniformTimes
from .tokenise import Tokenisation, Tokenise
from .tokens import MaskedTokens

__all__ = [
    "Denoise", "Encoded", "HighNoise", "LogitNormal", "MaskedTokens", "PatchGAN", "Patches", "Reconstruct", "Reconstruction",
    "Tokenisation", "Tokenise", "UniformTimes",
]  # fmt: skip
