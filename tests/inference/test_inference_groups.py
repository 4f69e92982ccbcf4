"""Inference where rows belong to groups: information and scores are those of groups."""

from dataclasses import replace

import numpy as np
import pytest

from moe_classic import MoERegressor
from moe_classic.gates import SoftmaxGate
from moe_classic.inference import influence, likelihood_ratio_test
from moe_classic.inference._case import fitted_model, simulate
from moe_classic.inference._curvature import curvature


def drawn(seed=0, subjects=40, visits=4):
    """Two classes of subjects with weights of 1 and 2."""
    rng = np.random.default_rng(seed)
    kind = np.arange(subjects) % 2
    time = rng.uniform(-1.0, 1.0, (subjects, visits))
    age = np.repeat(rng.normal(size=(subjects, 1)) + 0.7 * kind[:, None], visits, axis=1)
    y = np.where(kind, 1.5, 0.0)[:, None] + np.where(kind, -1.0, 1.5)[:, None] * time
    y = y + 0.6 * rng.standard_t(8, size=time.shape)
    w = np.repeat(rng.integers(1, 3, subjects), visits).astype(float)
    X = np.column_stack([time.ravel(), age.ravel()])
    return X, y.ravel(), np.repeat(np.arange(subjects), visits), w


@pytest.fixture(scope="module")
def table():
    return drawn()


@pytest.fixture(scope="module")
def moe(table):
    X, y, groups, w = table
    return MoERegressor(2, n_init=4, random_state=0).fit(X, y, w, groups=groups)


@pytest.mark.parametrize("gate", ["softmax", "constant", "gaussian"])
@pytest.mark.parametrize("expert", ["gaussian", "student_t"])
def test_derivatives_are_those_of_differences(table, expert, gate):
    X, y, groups, w = table
    model = MoERegressor(2, expert=expert, gate=gate, n_init=2, random_state=0, max_iter=40)
    case = fitted_model(model.fit(X, y, w, groups=groups), X, y, w, groups=groups)
    theta = case.model.pack(case.params)
    theta = theta + 0.02 * np.random.default_rng(3).normal(size=theta.size)

    def value(at):
        params = case.model.unpack(at, case.params, case.summary)
        joints = [case.model.log_joint(params, b) for b in case.source()]
        return np.logaddexp.reduce(np.concatenate(joints, axis=1)) @ case.subject_w

    def seen(at):
        params = case.model.unpack(at, case.params, case.summary)
        return curvature(replace(case, params=params))

    step, here, unit = 1e-5, seen(theta), np.eye(theta.size)
    slope = [(value(theta + step * u) - value(theta - step * u)) / (2.0 * step) for u in unit]
    pull = case.model.penalty_gradient(
        case.model.unpack(theta, case.params, case.summary), case.summary
    )
    np.testing.assert_allclose(here.gradient + pull, slope, atol=1e-5)
    bent = [
        (seen(theta + step * u).gradient - seen(theta - step * u).gradient) / (2.0 * step)
        for u in unit
    ]
    full = here.information + here.penalty
    np.testing.assert_allclose(-np.array(bent), full, atol=1e-6 * np.abs(full).max())


def test_the_sandwich_adds_scores_within_groups(table, moe):
    X, y, groups, w = table
    case = fitted_model(moe, X, y, w, groups=groups)
    theta, step = case.model.pack(case.params), 1e-5
    scores = []
    for u in np.eye(theta.size):
        up, down = (
            case.model.unpack(theta + s * step * u, case.params, case.summary) for s in (1, -1)
        )
        parts = [
            case.model.log_likelihood(up, b) - case.model.log_likelihood(down, b)
            for b in case.source()
        ]
        scores.append(np.concatenate(parts) / (2.0 * step))
    S = np.array(scores)
    np.testing.assert_allclose(
        curvature(case).scores, (S * case.subject_w) @ S.T, rtol=1e-5, atol=1e-4
    )
    # A cluster a group squares the weight, as a cluster of rows does.
    by_cluster = curvature(case, np.arange(case.subject_w.size)).scores
    np.testing.assert_allclose(by_cluster, (S * case.subject_w**2) @ S.T, rtol=1e-5, atol=1e-4)


def test_resamples_take_whole_groups(table, moe):
    X, y, groups, w = table
    observed = moe.inference(X, y, sample_weight=w, groups=groups).table
    options = {"sample_weight": w, "groups": groups, "n_bootstrap": 60, "random_state": 0}
    for kind in ("bootstrap", "parametric_bootstrap"):
        drawn_ = moe.inference(X, y, kind=kind, **options).table
        ratio = (drawn_.std_error / observed.std_error).xs("expert")
        assert (ratio > 0.5).all()
        assert (ratio < 2.2).all()


@pytest.mark.parametrize("gate", ["softmax", "gaussian"])
def test_subjects_are_drawn_as_wholes(table, gate):
    X, y, groups, w = table
    model = MoERegressor(2, gate=gate, n_init=2, random_state=0).fit(X, y, w, groups=groups)
    case = fitted_model(model, X, y, w, groups=groups)
    new, target, subjects = simulate(case, np.random.default_rng(0))
    assert subjects.count == case.subject_w.sum()
    assert len(new) == target.shape[1] == w.sum()
    assert np.ptp(new[:, 1].reshape(-1, 4), axis=1).max() < 1e-12
    if gate == "softmax":
        np.testing.assert_array_equal(np.unique(new[:, 0]), np.unique(X[:, 0]))


def test_clusters_hold_whole_groups(table, moe):
    X, y, groups, w = table
    options = {"kind": "sandwich", "sample_weight": w, "groups": groups}
    wide = moe.inference(X, y, clusters=groups // 2, **options).table
    assert wide.std_error.notna().all()
    with pytest.raises(ValueError, match="clusters divides a group"):
        moe.inference(X, y, clusters=np.arange(len(y)), **options)


def test_the_page_counts_groups(table, moe):
    X, y, groups, w = table
    page = str(moe.inference(X, y, sample_weight=w, groups=groups).summary())
    count = int(w.sum()) // 4
    assert f"{4 * count} in {count} groups" in page
    assert f"{moe.bic(X, y, w, groups=groups):.2f}" in page


def test_nested_fits_need_the_same_groups(table, moe):
    X, y, groups, w = table
    small = MoERegressor(2, gate=SoftmaxGate(features=[]), n_init=4, random_state=0)
    test = likelihood_ratio_test(small.fit(X, y, w, groups=groups), moe)
    assert test.df == 2
    with pytest.raises(ValueError, match="were fitted with different groups"):
        likelihood_ratio_test(small.fit(X, y, w), moe)


# ------------------------------------------------------------------------- rivals


def crossed(seed, n=24):
    """Rows on two lines with so much noise that they can be divided in several ways."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, n)
    y = np.where(np.arange(n) % 2, x, -x) + 0.4 * rng.normal(size=n)
    return x[:, None], y


def test_a_rival_labelling_is_told_of():
    for seed in range(30):
        X, y = crossed(seed)
        moe = MoERegressor(2, gate="constant", n_init=20, random_state=0).fit(X, y)
        report = moe.start_report_
        sound = report.degenerate_experts == 0
        near = sound & (report.objective > report.objective[sound].max() - 2.0)
        if near.any() and (report.agreement[near] < 0.9).any() and moe._fitted.n_degenerate == 0:
            break
    with pytest.warns(UserWarning, match=r"Another labelling of the data is nearly as good"):
        result = moe.inference(X, y)
    assert "nats below the best" in " ".join(result.warnings)


def test_a_clear_labelling_has_no_rival(table):
    X, y, groups, w = table
    moe = MoERegressor(2, gate="constant", n_init=10, random_state=0).fit(X, y, w, groups=groups)
    followed = moe.start_report_[moe.start_report_.optimum == 1]
    np.testing.assert_allclose(followed.agreement, 1.0)
    said = moe.inference(X, y, sample_weight=w, groups=groups).warnings
    assert not any("labelling" in s for s in said)


def test_influence_is_that_of_whole_groups(table):
    X, y, groups, _ = table
    X, y = X.copy(), y.copy()
    y[groups == 7] += 4.0
    options = {"gate": "constant", "order_by": "x0"}
    moe = MoERegressor(2, n_init=4, random_state=0, tol=1e-10, **options)
    moe.fit(X, y, groups=groups)
    found = influence(moe, X, y, groups=groups)
    assert found.distance.shape == (40,)
    assert found.largest(1).index.tolist() == [7]
    # A group of little influence is left out, and the fit climbed again from where it was.
    label = int(np.argsort(found.distance)[10])
    rest = groups != label
    R = moe.responsibilities(X, y, groups=groups)[rest]
    other = MoERegressor(2, init=R, n_init=1, tol=1e-12, **options)
    other.fit(X[rest], y[rest], groups=groups[rest])
    result = moe.inference(X, y, groups=groups).table
    after = other.inference(X[rest], y[rest], groups=groups[rest]).table
    moved = (after.estimate - result.estimate) / result.std_error
    np.testing.assert_allclose(found.shifts.loc[label], moved, atol=0.05)
    assert found.labels[label] == label
