"""Clips, cameras, paths, contracts, random streams, files: what every other package stands on."""

from .camera import Camera
from .clip import Clip, as_float, as_uint8
from .config import from_json, part, to_json
from .contracts import (
    Codec,
    Condition,
    Conditions,
    Context,
    Encoder,
    Latents,
    Loss,
    Metric,
    Model,
    Objective,
    Prediction,
    Sampler,
    Scenario,
    SetMetric,
    Source,
    TextEncoder,
    Told,
    Value,
)
from .errors import AbsentField, UserError
from .path import EDM, Cosine, Linear, Path, Predict, ScaledLinear
from .rng import stream, torch_stream

__all__ = [
    "EDM",
    "AbsentField",
    "Camera",
    "Clip",
    "Codec",
    "Condition",
    "Conditions",
    "Context",
    "Cosine",
    "Encoder",
    "Latents",
    "Linear",
    "Loss",
    "Metric",
    "Model",
    "Objective",
    "Path",
    "Predict",
    "Prediction",
    "Sampler",
    "ScaledLinear",
    "Scenario",
    "SetMetric",
    "Source",
    "TextEncoder",
    "Told",
    "UserError",
    "Value",
    "as_float",
    "as_uint8",
    "from_json",
    "part",
    "stream",
    "to_json",
    "torch_stream",
]
