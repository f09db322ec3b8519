import pytest
import torch

from kinema.core import Linear, Prediction, UserError, Value, from_json, to_json
from kinema.sampling import Without, WithoutGroup, guide, reader

SOURCES = (Without("text"), WithoutGroup("flow", channels=(2, 4)))


def condition(b=2):
    return {"text": Value(torch.randn(b, 3, generator=torch.Generator().manual_seed(1)), torch.ones(b, dtype=torch.bool))}


class Model:
    """Something nonlinear that hears its condition and sees every channel; counts its forward passes."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x, tau, conditions):
        self.calls += 1
        text = conditions["text"]
        heard = (text.data.sum(1) * text.present).view(-1, 1, 1, 1, 1)
        return Prediction(torch.sin(x + x.mean(2, keepdim=True)) + heard * tau.view(-1, 1, 1, 1, 1), {"mid": x})


@pytest.fixture
def x():
    return torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(0))


TAU = torch.tensor([0.3, 0.9])


@pytest.mark.parametrize("weights", [{}, {"text": 0.0}, {"text": 0.0, "flow": 0.0}])
def test_no_weight_is_the_conditional_prediction_bit_for_bit_at_its_price(x, weights):
    model = Model()
    guided = guide(model, SOURCES, weights)(x, TAU, condition())
    assert model.calls == 1
    assert torch.equal(guided.output, Model()(x, TAU, condition()).output)
    assert torch.equal(guided.features["mid"], x)


def test_identical_branches_are_the_conditional_prediction_bit_for_bit(x):
    x[:, :, 2:] = 0
    absent = {"text": condition()["text"].absent()}
    guided = guide(Model(), SOURCES, {"text": 6.3, "flow": 0.7})(x, TAU, absent)
    assert torch.equal(guided.output, Model()(x, TAU, absent).output)


@pytest.mark.parametrize("w", [-0.5, 1.0, 4.0])
def test_one_source_is_classifier_free_guidance(x, w):
    model = Model()
    given, none = (model(x, TAU, c).output for c in (condition(), {"text": condition()["text"].absent()}))
    guided = guide(model, SOURCES, {"text": w})(x, TAU, condition())
    torch.testing.assert_close(guided.output, none + (1 + w) * (given - none))


def test_sources_add_up(x):
    model, c = Model(), condition()
    full = model(x, TAU, c).output
    each = [guide(model, SOURCES, {name: w})(x, TAU, c).output - full for name, w in (("text", 2.0), ("flow", 0.5))]
    model.calls = 0
    torch.testing.assert_close(guide(model, SOURCES, {"text": 2.0, "flow": 0.5})(x, TAU, c).output, full + sum(each))
    assert model.calls == 3


def test_a_group_is_taken_from_what_the_model_sees_alone(x):
    kept = x.clone()
    model = reader(guide(Model(), SOURCES, {"flow": 2.0}), Linear(), "velocity", condition())
    x0, eps = model(x, TAU)
    assert torch.equal(x, kept)
    torch.testing.assert_close(Linear().corrupt(x0, eps, TAU), x)  # read against the unchanged x


@pytest.mark.parametrize("source", SOURCES)
def test_json(source):
    assert from_json(to_json(source)) == source


def test_mistakes_are_named(x):
    with pytest.raises(UserError, match=r"'txt'.*text, flow"):
        guide(Model(), SOURCES, {"txt": 1.0})
    with pytest.raises(UserError, match="finite"):
        guide(Model(), SOURCES, {"text": float("nan")})
    with pytest.raises(UserError, match="different names"):
        guide(Model(), (Without("text"), Without("text")), {})
    with pytest.raises(UserError, match=r"'arrow' needs that condition; given: text"):
        Without("arrow").without(x, condition())
    with pytest.raises(UserError, match="channels 3 to 9, but x has 4"):
        WithoutGroup("flow", channels=(3, 9)).without(x, {})
