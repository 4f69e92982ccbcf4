"""Stability selection: frequencies, the bound, and what is refused."""

import numpy as np
import pytest

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.model_selection import stability_selection
from moe_classic.penalties import Lasso


@pytest.fixture(scope="module")
def sparse():
    """Two experts that need a feature each of eight, a gate that needs the first."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((240, 8))
    right = rng.random(240) < 1.0 / (1.0 + np.exp(-4.0 * X[:, 0]))
    y = np.where(right, 2.0 + 1.5 * X[:, 1], -2.0 - 1.5 * X[:, 3])
    return X, y + 0.5 * rng.standard_normal(240)


@pytest.fixture(scope="module")
def found(sparse):
    return stability_selection(*sparse, n_pairs=6, random_state=0)


def test_right_slopes_of_experts_and_gate_are_stable(found):
    assert sorted(np.flatnonzero(row).tolist() for row in found.support_) == [[1], [3]]
    assert np.flatnonzero(found.gate_support_.any(axis=0)).tolist() == [0]
    assert found.false_positives_ <= 1.0
    assert (np.diff(found.alphas_) < 0.0).all()


def test_the_table_is_of_the_frequencies_and_the_bound_of_the_counts(found):
    table = found.table
    assert (np.diff(table.frequency) <= 0.0).all()
    assert (table.stable == (table.frequency >= 0.75)).all()
    own = table[table.part == "expert"].set_index(["expert", "term"]).frequency
    most = found.frequencies_.max(axis=0)
    for k, expert in enumerate(["expert 1", "expert 2"]):
        assert [own[expert, f"x{j}"] for j in range(8)] == most[k].tolist()
    # Shares of twelve halves.
    np.testing.assert_allclose(most * 12.0, np.round(most * 12.0), atol=1e-12)
    # 16 slopes of experts and 8 of the gate.
    assert found.false_positives_ == pytest.approx(found.n_slopes_**2 / (0.5 * 24), rel=1e-12)


def test_one_gaussian_expert_is_a_lasso_on_each_half(sparse):
    """Slopes are those of fits to the halves themselves, scaled as in the fit to all rows."""
    X, y = sparse
    expert = GaussianExpert(penalty=Lasso())
    template = MoERegressor(expert=expert, gate="constant", random_state=0)
    found = stability_selection(
        X, y, estimator=template, n_experts=1, alphas=[0.3], n_pairs=2, random_state=3
    )
    rng = np.random.default_rng(np.random.RandomState(3).randint(2**31 - 1))
    orders = [rng.permutation(240) for _ in range(2)]
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    counts = np.zeros(8)
    for rows in [part for o in orders for part in (o[:120], o[120:])]:
        whole = MoERegressor(1, expert=GaussianExpert(penalty=Lasso(0.3))).fit(Z, y)
        half = whole.set_params(warm_start=True).fit(Z[rows], y[rows])
        counts += half.experts_[0].coef_ != 0.0
    np.testing.assert_array_equal(found.frequencies_[0, 0], counts / 4.0)
    assert found.gate_support_ is None
    assert set(found.table.part) == {"expert"}


def test_processes_and_weights_change_nothing_but_what_they_should(sparse):
    X, y = sparse
    quick = {"alphas": [0.5], "n_pairs": 1, "n_experts": 1, "random_state": 1}
    a = stability_selection(X, y, **quick)
    b = stability_selection(X, y, sample_weight=np.full(240, 3.0), **quick)
    np.testing.assert_array_equal(a.frequencies_, b.frequencies_)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"estimator": MoERegressor()}, "stability_selection: .*need a penalty under which"),
        ({"alphas": [0.0]}, "alphas=.* must be numbers > 0"),
        ({"threshold": 0.5}, r"threshold=0.5 must lie in \(0.5, 1\]"),
        ({"n_pairs": 0}, "n_pairs"),
    ],
)
def test_arguments_without_a_meaning_are_refused(sparse, options, words):
    with pytest.raises(ValueError, match=words):
        stability_selection(*sparse, **options)
