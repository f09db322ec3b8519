import dataclasses
import importlib
import inspect
import json
import pkgutil

import pytest

import kinema
from kinema.core import EDM, Linear, ScaledLinear, UserError, from_json, part, to_json
from kinema.core.config import name_of
from kinema.sampling import DDIM, Without, WithoutGroup


def parts():
    """Every part of kinema by its stored name."""
    found = {}
    for module in pkgutil.walk_packages(kinema.__path__, "kinema."):
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(value) and value.__dict__.get("__kinema_part__") and not inspect.isabstract(value):
                found[name_of(value)] = value
    return found


@pytest.mark.parametrize("name", parts())
def test_every_part_comes_back_by_its_name(name):
    cls = parts()[name]
    needed = {f.name for f in dataclasses.fields(cls) if f.init and f.default is f.default_factory is dataclasses.MISSING}
    if needed:  # it is found, and says what it needs
        with pytest.raises(UserError, match=r"required|missing"):
            from_json({"part": name})
    else:
        made = cls()
        assert from_json(json.loads(json.dumps(to_json(made)))) == made


def test_parts_in_parts_in_containers():
    config = {"path": ScaledLinear(steps=10), "sources": (Without("text"), WithoutGroup("flow", channels=(0, 4))), "lr": 1e-5, "name": None}
    back = from_json(json.loads(json.dumps(to_json(config))))
    assert back == config
    assert to_json(config)["path"] == {"part": "core.ScaledLinear", "beta_start": 0.00085, "beta_end": 0.012, "steps": 10}


def test_a_part_is_frozen_and_keyword_only():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EDM().rho = 1
    with pytest.raises(TypeError):
        EDM(0.1)
    assert DDIM(7).steps == 7  # but for one leading field


def test_whole_numbers_are_floats_where_those_are_meant():
    made = from_json({"part": "core.EDM", "sigma_max": 700})
    assert isinstance(made.sigma_max, float)
    assert made == EDM(sigma_max=700.0)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"part": "core.EDN"}, "config: kinema has no part named 'core.EDN'"),
        ({"part": "core.EDM", "sigma": 1}, "config: core.EDM has no field 'sigma'; it has sigma_min, sigma_max, rho"),
        ({"part": "core.EDM", "rho": "7"}, "config.rho: expected float, got '7'"),
        ({"part": "core.EDM", "rho": None}, "config.rho: expected float, got None"),
        ({"part": "core.ScaledLinear", "steps": 10.5}, "config.steps: expected int, got 10.5"),
        ({"part": "sampling.DDIM", "spacing": "even"}, "config.spacing: expected "),
        ({"part": "sampling.DDIM", "steps": 0}, "at least 1 step"),
        ({"part": "sampling.Without"}, "config: sampling.Without: .*name"),
        ({"part": "sampling.WithoutGroup", "name": "flow", "channels": [0]}, "config.channels: expected "),
        ({"model": [1, {"part": "nowhere.Nothing"}]}, r"config.model\[1\]: kinema has no part"),
    ],
)
def test_mistakes_name_their_place(data, says):
    with pytest.raises(UserError, match=says):
        from_json(data)


@pytest.mark.parametrize(
    "name",
    [
        *("os.system", "builtins.eval", "core.Clip", "core.stream", "core.Path", "core.path.Linear", "cli.main", "__main__.main"),
        *("..Linear", "core.", "", 3, None, ["core.EDM"]),
    ],
)
def test_a_file_can_build_nothing_but_parts(name):
    with pytest.raises(UserError, match="kinema has no part named"):
        from_json({"part": name})


def test_an_abstract_part_is_not_built():
    with pytest.raises(UserError):
        from_json({"part": "sampling.Walk"})


def test_what_is_no_configuration_is_refused():
    for value in (object(), {1, 2}, lambda: 0):
        with pytest.raises(TypeError, match="cannot be written to JSON"):
            to_json({"a": value})


def test_subclasses_are_not_parts_unless_made_so():
    class Sub(Linear):
        pass

    assert not Sub.__dict__.get("__kinema_part__")
    assert part(Sub).__dict__["__kinema_part__"]
