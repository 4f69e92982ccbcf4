"""Real numbers as a target: standardised, written as they came, and given back."""

import numpy as np
import pytest

from moe_classic._data.rows import RawData
from moe_classic._targets import RealTarget


def data_of(y, w, *, common=False, standardize=True):
    """Training data of a target with some weights."""
    target = RealTarget.learn(y)
    raw = RawData(np.zeros((len(y), 1)), target.columns(y), w, w > 0.0)
    return target.training_data(raw, None, standardize=standardize, common=common)


@pytest.fixture
def pair(rng):
    return rng.normal([100.0, -3.0], [5.0, 0.1], (50, 2)), rng.uniform(0.5, 2.0, 50)


@pytest.mark.parametrize("outputs", [None, 1, 2])
def test_target_comes_back_as_it_was_written(pair, outputs):
    y = pair[0][:, 0] if outputs is None else pair[0][:, :outputs]
    target = data_of(y, pair[1]).target
    again = target.from_model(target.to_model(target.columns(y)))
    assert again.shape == y.shape
    np.testing.assert_allclose(again, y, rtol=1e-12)


def test_model_sees_mean_zero_and_variance_one(pair):
    y, w = pair
    data = data_of(y, w)
    seen = data.target.to_model(data.key)
    np.testing.assert_allclose(seen @ w / w.sum(), 0.0, atol=1e-12)
    np.testing.assert_allclose(seen**2 @ w / w.sum(), 1.0, rtol=1e-12)
    assert data.target.log_unit == pytest.approx(np.log(data.target.factor).sum())


def test_outputs_in_common_have_one_factor(pair):
    factor = data_of(*pair, common=True).target.factor
    assert factor[0] == factor[1]


def test_target_that_is_to_stay_forgets_an_earlier_standardisation(pair):
    y, w = pair
    scaled = data_of(y, w).target
    raw = RawData(np.zeros((50, 1)), scaled.columns(y), w, w > 0.0)
    plain = scaled.training_data(raw, None, standardize=False, common=False).target
    np.testing.assert_array_equal(plain.to_model(raw.key), raw.key)


def test_constant_target_is_not_blown_up():
    data = data_of(np.full(5, 1e6), np.ones(5))
    np.testing.assert_array_equal(data.target.to_model(data.key), 0.0)
    assert data.summary.y_var == 0.0


def test_answers_have_the_rows_first(pair):
    answers = np.arange(24.0).reshape(3, 2, 4)
    several = RealTarget.learn(pair[0])
    np.testing.assert_array_equal(several.shaped(answers), answers.transpose(2, 0, 1))
    single = RealTarget.learn(pair[0][:, 0])
    np.testing.assert_array_equal(single.shaped(answers[:, :1]), answers[:, 0].T)
    assert (several.names, single.names) == (["y0", "y1"], ["y"])


def test_other_number_of_outputs_is_refused(pair):
    target = RealTarget.learn(pair[0])
    with pytest.raises(ValueError, match="y has 1 outputs, the first rows had 2"):
        target.columns(pair[0][:, 0])
    with pytest.raises(ValueError, match="y has 1 outputs, the model was fitted on 2"):
        target.scored(pair[0][:, 0])
