"""WorldModel: a trained recipe that dreams. Its folder holds safetensors and JSON, rebuilt from kinema's own parts only."""

from .blueprint import Blueprint
from .folder import find, fingerprint, load_blueprint, load_weights, said_in, save_weights, shipped
from .model import WorldModel

__all__ = ["Blueprint", "WorldModel", "find", "fingerprint", "load_blueprint", "load_weights", "said_in", "save_weights", "shipped"]
