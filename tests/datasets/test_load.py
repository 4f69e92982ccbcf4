"""The bundled tables: contents, provenance, and scikit-learn's manner of handing them out."""

import csv
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from moe_classic.datasets import _load, load_faithful, load_motorcycle, load_tone

TABLES = [
    pytest.param(load_tone, 150, "stretchratio", "tuned", id="tone"),
    pytest.param(load_motorcycle, 133, "times", "accel", id="motorcycle"),
    pytest.param(load_faithful, 272, "eruptions", "waiting", id="faithful"),
]
tables = pytest.mark.parametrize(("load", "n_rows", "feature", "target"), TABLES)


@tables
def test_loader_returns_arrays_by_default(load, n_rows, feature, target):
    bunch = load()
    assert bunch.data.shape == (n_rows, 1)
    assert bunch.target.shape == (n_rows,)
    assert bunch.data.dtype == bunch.target.dtype == np.float64
    assert bunch.feature_names == [feature]
    assert bunch.target_names == [target]
    assert bunch.frame is None


@tables
def test_loader_returns_every_digit_of_the_file(load, n_rows, feature, target):
    bunch = load()
    with Path(bunch.filename).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == n_rows
    np.testing.assert_array_equal(bunch.data[:, 0], [float(row[feature]) for row in rows])
    np.testing.assert_array_equal(bunch.target, [float(row[target]) for row in rows])


@tables
def test_loader_returns_frames_on_request(load, n_rows, feature, target):
    bunch = load(as_frame=True)
    assert list(bunch.frame.columns) == [feature, target]
    pd.testing.assert_frame_equal(bunch.data, bunch.frame[[feature]])
    pd.testing.assert_series_equal(bunch.target, bunch.frame[target])
    assert len(bunch.frame) == n_rows


@tables
@pytest.mark.parametrize("as_frame", [False, True])
def test_loader_returns_the_pair_of_the_bunch_on_request(load, n_rows, feature, target, as_frame):
    bunch = load(as_frame=as_frame)
    X, y = load(return_X_y=True, as_frame=as_frame)
    assert type(X) is type(bunch.data)
    assert type(y) is type(bunch.target)
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)


@tables
def test_loaded_arrays_can_be_written_to_without_touching_the_next_load(
    load, n_rows, feature, target
):
    X, y = load(return_X_y=True)
    X[0, 0], y[0] = -99.0, -99.0
    again = load()
    assert again.data[0, 0] != -99.0
    assert again.target[0] != -99.0


@tables
def test_loader_takes_keywords_only(load, n_rows, feature, target):
    with pytest.raises(TypeError, match="positional"):
        load(True)


@tables
def test_description_states_rows_columns_licence_and_the_checksum_of_the_file(
    load, n_rows, feature, target
):
    bunch = load()
    digest = hashlib.sha256(Path(bunch.filename).read_bytes()).hexdigest()
    assert f"{n_rows} rows" in bunch.DESCR
    assert f"`{feature}`" in bunch.DESCR
    assert f"`{target}`" in bunch.DESCR
    assert "GPL" in bunch.DESCR
    assert digest in bunch.DESCR
    assert bunch.DESCR.count("## ") == 1


def test_tone_data_give_the_published_likelihood_of_one_regression():
    X, y = load_tone(return_X_y=True)
    design = np.column_stack([X, np.ones(len(y))])
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    log_likelihood = -0.5 * len(y) * (np.log(2 * np.pi * np.mean(residual**2)) + 1)
    # One expert has 3 parameters. AIC = L - 3 is published as 6.3821 (Chamroukhi 2016), and the
    # tolerance is half a unit of its last digit.
    assert log_likelihood - 3 == pytest.approx(6.3821, abs=5e-5)


def test_loader_says_where_it_looked_when_the_files_are_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(_load, "__file__", str(tmp_path / "a" / "b" / "_load.py"))
    with pytest.raises(FileNotFoundError, match=r"install moe_classic again"):
        load_tone()


def test_loader_prefers_the_files_installed_beside_it(monkeypatch, tmp_path):
    package = tmp_path / "moe_classic" / "datasets"
    (package / "data").mkdir(parents=True)
    (package / "data" / "README.md").write_text("# Data\n\n## tone\n\nbeside\n\n## other\n")
    (package / "data" / "tone.csv").write_text("stretchratio,tuned\n1.5,2\n3,1\n")
    monkeypatch.setattr(_load, "__file__", str(package / "_load.py"))
    bunch = load_tone()
    assert bunch.data.tolist() == [[1.5], [3.0]]
    assert bunch.DESCR == "## tone\n\nbeside\n"
