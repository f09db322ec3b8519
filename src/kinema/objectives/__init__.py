"""Objectives: what is learnt."""

from .denoise import Denoise, Encoded
from .reconstruct import Reconstruct, Reconstruction
from .times import HighNoise, LogitNormal, UniformTimes
from .tokens import MaskedTokens

__all__ = ["Denoise", "Encoded", "HighNoise", "LogitNormal", "MaskedTokens", "Reconstruct", "Reconstruction", "UniformTimes"]
