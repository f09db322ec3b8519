"""Bootstrap intervals, tables and their files."""

import csv
import io
import json
import math

import numpy as np
import pytest

from kinema.benchmarks.table import Column, Sample, Table, bootstrap, number


def test_the_interval_covers_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for i in range(200):
        figure = bootstrap(rng.exponential(2.0, 60), level=0.95, key=("coverage", i))
        hits += figure.low <= 2.0 <= figure.high
    assert 0.87 <= hits / 200 <= 0.99


def test_the_interval_narrows_with_more_clips_and_is_seeded():
    rng = np.random.default_rng(1)
    few, many = bootstrap(rng.normal(size=10)), bootstrap(rng.normal(size=1000))
    assert many.high - many.low < 0.3 * (few.high - few.low)
    values = list(rng.normal(size=20))
    assert bootstrap(values, key=(1,)) == bootstrap(values, key=(1,)) != bootstrap(values, key=(2,))


def test_undefined_values_are_counted_and_left_out():
    figure = bootstrap([1.0, math.nan, 3.0])
    assert (figure.mean, figure.count, figure.undefined) == (2.0, 2, 1)
    assert math.isnan(bootstrap([math.nan]).mean)


def table():
    columns = (Column("velocity", "m/s", False), Column("ssim", "1", True))
    samples = [
        Sample("uniform", split, i, source, {"velocity": 0.1 * i, "ssim": math.nan if i == 2 else 0.9})
        for split in ("id", "ood") for source in ("floor", "dream") for i in range(3)
    ]  # fmt: skip
    return Table(columns, tuple(samples))


def test_rows_are_grouped_and_the_dream_comes_first():
    made = table()
    assert made.groups() == [("uniform", "id"), ("uniform", "ood")]
    assert made.sources() == ["dream", "floor"]
    assert made.figure("uniform", "id", "dream", "velocity").mean == pytest.approx(0.1)


def test_files_are_plain():
    made = table()
    data = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert len(data["rows"]) == 4
    assert data["rows"][0]["figures"]["ssim"]["undefined"] == 1
    rows = list(csv.DictReader(io.StringIO(made.to_csv())))
    assert len(rows) == 12
    assert rows[2]["ssim [1]"] == ""
    assert float(rows[1]["velocity [m/s]"]) == 0.1


@pytest.mark.parametrize("value", [0.004321, 0.5, 12.345, 1234.5, -0.25])
def test_numbers_keep_about_three_digits(value):
    assert float(number(value)) == pytest.approx(value, rel=0.01)
    assert "e" not in number(value)


@pytest.mark.parametrize("value", [1e-5, 4.9e-5, 5e-5, -3e-7])
def test_a_small_number_is_not_shown_as_none(value):
    assert float(number(value)) == pytest.approx(value, rel=1.0)
    assert float(number(value)) != 0
