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
    Space,
    TextEncoder,
    Told,
    Value,
)
from .errors import AbsentField, UserError
from .masked import MASK, Masked, given
from .path import EDM, Affine, Cosine, Linear, Path, Predict, ScaledLinear
from .rng import stream, torch_stream

__all__ = [
    "EDM",
    "MASK",
    "Affine",
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
    "Masked",
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
    "Space",
    "TextEncoder",
    "Told",
    "UserError",
    "Value",
    "as_float",
    "as_uint8",
    "from_json",
    "given",
    "part",
    "stream",
    "to_json",
    "torch_stream",
]
