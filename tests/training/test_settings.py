"""Settings of the loop, and which clips a step sees."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from kinema.core.config import from_json, to_json
from kinema.core.errors import UserError
from kinema.training import Train
from kinema.training.batches import Schedule


def test_the_rate_warms_up_and_falls_as_a_cosine():
    settings = Train(steps=100, warmup=10, lr=2.0, final_lr=0.1)
    rates = [settings.rate(step) for step in range(101)]
    assert rates[:10] == pytest.approx([0.2 * (k + 1) for k in range(10)])
    assert rates[10] == pytest.approx(2.0)
    assert rates[55] == pytest.approx((2.0 + 0.2) / 2)
    assert rates[100] == pytest.approx(0.2)
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert Train(steps=100, warmup=0, lr=1.0).rate(0) == 1.0


COUNTS = ("steps", "batch", "accumulate", "log_every", "save_every", "keep", "probe_every")
POSITIVE, NOT_NEGATIVE = ("lr", "clip", "spike"), ("weight_decay", "final_lr")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        *((key, 0, f"train.{key} must be at least 1") for key in COUNTS),
        *((key, bad, f"train.{key} must be a finite number above 0") for key in POSITIVE for bad in (0.0, -1.0, math.nan, math.inf)),
        *((key, bad, f"train.{key} must be a finite number of 0 or more") for key in NOT_NEGATIVE for bad in (-0.1, math.nan)),
        *(("ema", value, r"train.ema must lie in \[0, 1\)") for value in (1.0, -0.1, math.nan)),
        ("betas", (0.9, 1.0), r"train.betas must lie in \[0, 1\)"),
        ("warmup", -1, "must not be negative"),
        ("seed", 2**63, "train.seed must be a number of 64 bits"),
        ("workers", -1, "must not be negative"),
        ("precision", "half", "train.precision must be one of no, bf16, fp16, got 'half'"),
    ],
)  # fmt: skip
def test_settings_that_make_no_run_are_refused(field, value, sentence):
    with pytest.raises(UserError, match=sentence):
        Train(**{field: value})


def test_settings_come_back_from_json():
    settings = Train(steps=7, betas=(0.8, 0.9), precision="bf16", compile=True)
    assert from_json(to_json(settings)) == settings
    with pytest.raises(UserError, match="precision"):
        from_json({"part": "training.Train", "precision": "int3"})


@pytest.mark.parametrize(("batch", "accumulate", "processes"), [(1, 1, 1), (3, 2, 2), (5, 1, 3)])
@pytest.mark.parametrize("length", [None, 30, 31, 4])
def test_every_clip_is_seen_once_an_epoch_and_processes_share_the_work(length, batch, accumulate, processes):
    schedule = Schedule(length, batch, accumulate, processes, seed=3)
    places = [(s, m, r) for s in range(40) for m in range(accumulate) for r in range(processes)]
    seen = [index for place in places for index in schedule.indices(*place)]
    if length is None:
        assert seen == list(range(len(seen)))
        return
    epochs = [seen[i : i + length] for i in range(0, len(seen) - length + 1, length)]
    assert len(epochs) >= 1
    assert all(sorted(epoch) == list(range(length)) for epoch in epochs)
    if len(epochs) > 1 and length > 8:
        assert epochs[0] != epochs[1] != sorted(epochs[1])


def test_the_schedule_depends_on_step_and_seed_alone():
    def made(seed):
        return Schedule(50, 4, 2, 2, seed)

    schedule = made(0)
    backwards = [schedule.indices(s, m, r) for s in reversed(range(40)) for m in (1, 0) for r in (1, 0)][::-1]
    assert backwards == [made(0).indices(s, m, r) for s in range(40) for m in (0, 1) for r in (0, 1)]
    assert made(0).indices(0, 0, 0) != made(1).indices(0, 0, 0)


def test_more_processes_see_the_same_clips_in_a_step():
    one, two, three = Schedule(99, 8, 1, 1, 0), Schedule(99, 4, 1, 2, 0), Schedule(99, 4, 2, 1, 0)
    for step in (0, 5, 30):
        assert one.indices(step, 0, 0) == two.indices(step, 0, 0) + two.indices(step, 0, 1)
        assert one.indices(step, 0, 0) == three.indices(step, 0, 0) + three.indices(step, 1, 0)
    assert isinstance(one.indices(0, 0, 0)[0], int)
    assert np.unique(one.indices(3, 0, 0)).size == 8
    assert torch.tensor(one.indices(3, 0, 0)).max() < 99
