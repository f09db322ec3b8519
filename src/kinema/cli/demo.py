"""`kinema demo`: simulate, dream, judge, report."""

from __future__ import annotations


def main(*, model: str | None = None, out: str = "runs/demo", num: int = 4, seed: int = 900_000_001, json: bool = False) -> None:
    """The tour: simulate, dream, judge, report.

    A collision and a throw that the model has never seen, in its training range and outside. It is given the first frames,
    dreams the rest, and is judged against the truth, beside the true video through the parser (floor), the repeated last
    frame, and the textbook: the law fitted to the same first frames.

    Args:
        model: a model's name or folder; the shipped one if not given.
        out: folder for report.html, results.json, samples.csv and the videos.
        num: clips of each kind.
        seed: from 900000000 on: seeds that training never draws from.
        json: print the result as JSON.
    """
    import json as _json

    from ..benchmarks.demo import SEED_NOTE, Demo
    from ..benchmarks.output import headline, results, write_result, write_scenes
    from ..benchmarks.systems import Model
    from ..core.files import make_folder
    from .tables import Progress, print_table

    demo, folder = Demo(num=num, seed=seed), make_folder(out)
    with Progress() as progress:
        progress("load the model", 0, 1)
        from ..world_model import WorldModel  # brings the networks: the bar is up before that

        dreamer = WorldModel.from_pretrained() if model is None else WorldModel.from_pretrained(model)
        name = model or dreamer.name
        result = demo.run(Model(dreamer), progress)
        progress("write the report", 1, 1)
        lede = [
            f"A model that has only watched videos is shown the first {dreamer.condition_frames} frames of worlds it has never seen "
            "and dreams the rest. Its frames are then measured like anybody’s video and held against the truth.",
        ]
        report = write_result(result, folder, model=name, lede=lede, notes=[SEED_NOTE], intervals=False, order="")
        write_scenes(result.scenes, folder)
    if json:
        print(_json.dumps(results(result, name), indent=2, sort_keys=True))
        return
    print_table(result.table, f"{name}: a judged dream", intervals=False)
    for sentence in headline(result.table):
        print(f"  {sentence}")
    print(f"\n  floor: the true video through the parser; textbook: the law fitted to the same {dreamer.condition_frames} frames")
    print(f"  open {report}")
