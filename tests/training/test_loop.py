import json
import math
from functools import partialmethod

import pytest
import torch
from accelerate import Accelerator
from sessions import Next, Noise, small
from torch import nn

from kinema import codecs, models
from kinema.core import Clip
from kinema.core.contracts import Loss, Space
from kinema.core.errors import UserError
from kinema.training import Run, Train, loop, train
from kinema.training.checkpoint import checkpoints, load_checkpoint
from kinema.training.guard import PATIENCE, SETTLED, WINDOW, Guard


def rows(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


# --- the guard ---


def test_the_guard_knows_what_is_not_a_number_and_what_is_a_spike():
    guard = Guard(10.0)
    assert guard.verdict(float("nan"), 1.0) == "the loss is nan"
    assert guard.verdict(1.0, float("inf")) == "the gradient's norm is inf"
    assert guard.verdict(1e9, 1.0) is None  # a start may be anything
    for _ in range(SETTLED):
        guard.accept(2.0)
    assert guard.verdict(19.9, 1.0) is None
    assert "more than 10 times the recent median 2" in guard.verdict(20.1, 1.0)
    for _ in range(3 * WINDOW):
        guard.accept(0.1)
    assert len(guard.recent) == WINDOW
    assert guard.verdict(2.0, 1.0) is not None


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 100.0])
def test_a_bad_batch_is_named_and_left_out(tmp_path, capsys, factor):
    run = small(tmp_path, Next(poison=(51,), factor=factor), steps=30, save_every=10)
    run.quiet = False
    model = train(run)
    said = capsys.readouterr().err
    assert "(step 25, clips 50, 51): that batch is left out, going on from step 20" in said
    log = rows(tmp_path)
    assert [row["step"] for row in log if "loss" in row] == [*range(1, 26), *range(27, 31)]  # each once, none of step 26
    left = [row for row in log if "left_out" in row]
    assert [(row["step"], row["left_out"], row["clips"]) for row in left] == [(20, 25, [50, 51])]
    assert load_checkpoint(checkpoints(tmp_path / "checkpoints")[-1])[1]["skipped"] == [25]
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_a_run_that_finds_no_way_on_is_given_up(tmp_path):
    with pytest.raises(UserError, match=r"given up after 5 roll-backs in a row.*step 10, clips 20, 21.*lower train.lr or a longer"):
        train(small(tmp_path, Next(poison=tuple(range(10, 100))), steps=30, save_every=30))


def test_roll_backs_are_counted_in_a_row(tmp_path):
    poison = tuple(range(5, 5 + 16 * (PATIENCE + 2), 16))  # one bad batch between any two checkpoints
    train(small(tmp_path, Next(poison=poison), steps=64, save_every=8))
    assert len(load_checkpoint(checkpoints(tmp_path / "checkpoints")[-1])[1]["skipped"]) == PATIENCE + 2


def test_the_best_survives_a_roll_back(tmp_path):
    figures = {2: 3.0, 4: 1.0, 6: 2.0, 8: 2.5, 10: 0.5, 12: 4.0}
    run = small(tmp_path, Next(poison=(9,)), steps=12, save_every=12, probe_every=2)  # step 5 is refused: back to 0
    seen = []

    def probe(model, step):
        seen.append((step, [path.name for path in checkpoints(tmp_path / "best")]))
        return {"error": figures[step]}

    run.probe, run.best = probe, "error"
    train(run)
    assert [step for step, _ in seen] == [2, 4, 2, 4, 6, 8, 10, 12]
    assert [best for _, best in seen[2:7]] == [["step-000000004"]] * 5  # neither lost nor replaced by a worse one
    assert [p.name for p in checkpoints(tmp_path / "best")] == ["step-000000010"]


# --- folders ---


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path):
    train(small(tmp_path, Next(), steps=2))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(UserError, match="already holds a training run; use --resume"):
        train(small(tmp_path, Next(), steps=2))
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_a_finished_run_changes_nothing_when_resumed(tmp_path):
    done = train(small(tmp_path, Next(), steps=3))
    again = train(small(tmp_path, Next(), steps=3), resume=True)
    assert all(torch.equal(a, b) for a, b in zip(done.parameters(), again.parameters(), strict=True))
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3]


def test_a_log_cut_in_the_middle_of_a_line_is_gone_on_with(tmp_path):
    train(small(tmp_path, Next(), steps=3))
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "los')
    train(small(tmp_path, Next(), steps=6), resume=True)
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_no_clips(tmp_path):
    with pytest.raises(UserError, match="there is no clip to train on"):
        train(small(tmp_path, Next(), Noise(length=0)))


def test_a_clip_that_cannot_be_read_is_named_without_a_traceback(tmp_path):
    class Broken(Noise):
        def __getitem__(self, index):
            if index == 5:
                raise UserError("shard-3.tar: a clip is damaged")
            return super().__getitem__(index)

    with pytest.raises(UserError) as caught:
        train(small(tmp_path, Next(), Broken(), steps=8))
    assert str(caught.value) == "clips 4, 5: shard-3.tar: a clip is damaged"


# --- figures ---


def test_the_log_holds_figures_that_every_reader_of_json_takes(tmp_path):
    run = small(tmp_path, Next(), steps=4, log_every=2, probe_every=4)
    run.probe, run.best = lambda model, step: {"error": float("nan")}, "error"
    train(run)
    log = [json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [2, 4, 4]
    assert log[-1] == {"step": 4, "probe.error": None}
    assert {"loss", "grad_norm", "lr", "clips_per_s", "wait_share"} <= log[0].keys()
    assert not (tmp_path / "best").exists()


def test_the_lowest_figure_marks_the_best(tmp_path):
    figures = {2: 3.0, 4: 1.0, 6: 2.0, 8: 1.0}
    run = small(tmp_path, Next(), steps=8, probe_every=2)
    run.probe, run.best = lambda model, step: {"error": figures[step]}, "error"
    train(run)
    (best,) = checkpoints(tmp_path / "best")
    assert load_checkpoint(best)[1]["step"] == 4
    assert load_checkpoint(checkpoints(tmp_path / "checkpoints")[-1])[1]["lowest"] == 1.0


def test_probes_and_their_random_numbers_leave_training_alone(tmp_path):
    def probe(model, step):
        torch.rand(7)
        for parameter in model.parameters():
            assert not parameter.requires_grad or not torch.is_grad_enabled()
        return {"error": 1.0}

    plain = train(small(tmp_path / "a", Next(noise=0.1), steps=6))
    run = small(tmp_path / "b", Next(noise=0.1), steps=6, probe_every=1)
    run.probe = probe
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), train(run).parameters(), strict=True))


def test_the_average_is_the_exponential_one(tmp_path):
    seen = []

    class Watch(Next):
        def losses(self, model, batch, context):
            seen.append([p.detach().clone() for p in model.parameters()])
            return super().losses(model, batch, context)

    run = small(tmp_path, Watch(), steps=20, ema=0.5)
    averaged = train(run)
    weights = [*seen[1:], [p.detach() for p in run.model.parameters()]]
    shadow = seen[0]
    for k, current in enumerate(weights):
        decay = min(0.5, (1 + k) / (10 + k))
        shadow = [decay * a + (1 - decay) * b for a, b in zip(shadow, current, strict=True)]
    for a, b in zip(averaged.parameters(), shadow, strict=True):
        torch.testing.assert_close(a, b)


def test_gradients_are_clipped_and_the_norm_before_is_logged(tmp_path):
    class Steep(Next):
        def losses(self, model, batch, context):
            for loss in super().losses(model, batch, context):
                yield Loss(loss.value * 1e6)

    run = small(tmp_path, Steep(), steps=1, clip=0.5)
    norms = []
    real = torch.optim.AdamW.step

    def step(optimizer, *args, **kwargs):
        norms.append(math.sqrt(sum(p.grad.square().sum() for g in optimizer.param_groups for p in g["params"])))
        return real(optimizer, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", step)
        train(run)
    assert norms == [pytest.approx(0.5, rel=1e-4)]
    assert rows(tmp_path)[0]["grad_norm"] > 1e3


def test_groups_are_stepped_apart(tmp_path):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3).double(), nn.Linear(3, 3).double()

        def parameter_groups(self):
            return {name: {f"{name}.{key}": p for key, p in getattr(self, name).named_parameters()} for name in "ab"}

    class Turns:
        def losses(self, model, batch, context):
            colour = batch.rgb.double().mean((-1, -2))
            kept = model.b.weight.detach().clone()
            yield Loss(model.a(colour).square().mean(), group="a")
            assert torch.equal(model.b.weight, kept)
            yield Loss(model.b(colour).square().mean(), group="b")

    run = small(tmp_path, Turns(), steps=3)
    run.model = Two()
    before = [p.detach().clone() for p in run.model.parameters()]
    train(run)
    assert all(not torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))
    assert {"a.loss", "b.loss"} <= rows(tmp_path)[0].keys()
    assert (checkpoints(tmp_path / "checkpoints")[-1] / "optimizer-b.safetensors").exists()


class Learning(Next, nn.Module):
    """The objective of `Next` with something of its own."""

    def __init__(self, own):
        nn.Module.__init__(self)
        Next.__init__(self)
        self.own = own


def test_an_objective_that_learns_names_its_groups(tmp_path):
    with pytest.raises(UserError, match=r"Learning has parameters of its own in a group 'model', which is the model's: .*parameter_groups"):
        train(small(tmp_path / "refused", Learning(nn.Linear(1, 1))))
    still = small(tmp_path / "still", Learning(nn.Linear(1, 1).requires_grad_(False)), steps=2)
    before = [p.detach().clone() for p in still.model.parameters()]
    train(still)
    assert all(not torch.equal(a, b) for a, b in zip(before, still.model.parameters(), strict=True))


# --- precision and compilation ---


class Colour(Next):
    """The objective of `Next` in single precision."""

    def losses(self, model, batch, context):
        colour = batch.rgb.mean((-1, -2))
        poisoned = {clip["place"] for clip in batch.meta["clips"]} & set(self.poison)
        yield Loss((model(colour[:, :-1]).float() - colour[:, 1:]).square().mean() * (self.factor if poisoned else 1))


def test_bf16_is_close(tmp_path):
    losses = {}
    for precision in ("no", "bf16"):
        run = small(tmp_path / precision, Colour(), steps=20, precision=precision)
        run.model = run.model.float()
        train(run)
        losses[precision] = [row["loss"] for row in rows(tmp_path / precision)]
    assert losses["bf16"] == pytest.approx(losses["no"], rel=0.02)
    assert losses["bf16"] != losses["no"]


class Scaled(Accelerator):
    """Gradients scaled as fp16 has them on a GPU."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0)

    def unscale_gradients(self, optimizer=None):
        for each in self._optimizers:
            self.scaler.unscale_(each.optimizer)


def test_a_roll_back_with_scaled_gradients(tmp_path, monkeypatch):
    def trained(name):
        run = small(tmp_path / name, Colour(poison=(9,)), steps=8, save_every=3)
        run.model = run.model.float()
        train(run)
        assert [row["left_out"] for row in rows(tmp_path / name) if "left_out" in row] == [4]
        return [row["loss"] for row in rows(tmp_path / name) if "loss" in row]

    plain = trained("plain")
    monkeypatch.setattr(loop, "Accelerator", Scaled)
    assert trained("scaled") == pytest.approx(plain, rel=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")
def test_fp16_without_a_gpu_is_refused(tmp_path):
    with pytest.raises(UserError, match="fp16 needs a GPU"):
        train(small(tmp_path, Next(), precision="fp16"))


def test_compiled_training_is_the_same_training(tmp_path, monkeypatch):
    compiled = []

    def eager(graph, inputs):
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=eager))

    class Network(nn.Sequential):
        def forward(self, x):
            for layer in self:
                x = layer(x)
            return x

    def trained(name, **settings):
        run = small(tmp_path / name, Next(), **settings)
        run.model = Network(*run.model)
        return train(run)

    plain = trained("plain")
    assert not compiled
    fast = trained("fast", compile=True)
    assert compiled
    assert fast.state_dict().keys() == plain.state_dict().keys()
    for a, b in zip(plain.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_codec_is_compiled_where_it_works(tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda module, **options: compiled.append(module))

    class Mean:
        def losses(self, model, batch, context):
            yield Loss(model.pixels(model.moments(batch.rgb)[0]).square().mean())

    class Still:
        length = None

        def __getitem__(self, index):
            return Clip(rgb=torch.zeros(1, 3, 8, 8, dtype=torch.uint8), fps=10.0)

    codec = codecs.VAE(widths=(8, 8), channels=2).build()
    train(Run(model=codec, objective=Mean(), clips=Still(), config=Train(steps=1, batch=1, compile=True), out=tmp_path, quiet=True))
    assert compiled == [codec.encoder, codec.decoder]
    network = models.DiT(layers=1, hidden=12, heads=2).build(Space((1, 2, 8, 8)))
    assert type(network).forward is not nn.Module.forward


def test_compilation_without_a_compiler_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"train.compile needs a C\+\+ compiler"):
        train(small(tmp_path, Next(), compile=True))
