"""Rows that belong to groups: each comes from one expert as a whole."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import (
    HardMoERegressor,
    HierarchicalMoERegressor,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
    SparseMoERegressor,
)
from moe_classic.experts import EXPERTS, EstimatorExpert, GaussianExpert, LinearExpert
from moe_classic.gates import EstimatorGate, SoftmaxGate
from moe_classic.solvers import EM, SGD, Adam

from .subjects import TRUTH, by_hand, matched, three_classes

QUICK = {"n_init": 4, "random_state": 0}


@pytest.fixture(scope="module")
def table():
    return three_classes(0)


@pytest.fixture(scope="module")
def moe(table):
    X, y, groups, _ = table
    return MoERegressor(3, gate="constant", **QUICK).fit(X, y, groups=groups)


# ------------------------------------------------------------------------- what is found


def test_three_classes_of_subjects_are_recovered(table, moe):
    X, y, groups, kind = table
    agreement, classes = matched(moe.responsibilities(X, y, groups=groups).argmax(axis=1), kind)
    assert agreement == 1.0
    rows = MoERegressor(3, gate="constant", **QUICK).fit(X, y)
    assert matched(rows.responsibilities(X, y).argmax(axis=1), kind)[0] < 0.95
    result = moe.inference(X, y, groups=groups)
    for k, c in enumerate(classes):
        own = result.table.xs(("expert", f"expert {k + 1}"), level=(0, 1))[:3]
        assert (abs(own.estimate - TRUTH[c]) < 2.0 * own.std_error).all()


def test_intervals_cover_the_effects_as_often_as_they_say():
    inside = []
    for seed in range(100):
        X, y, groups, kind = three_classes(seed)
        moe = MoERegressor(3, gate="constant", n_init=1, random_state=0).fit(X, y, groups=groups)
        labels = moe.responsibilities(X, y, groups=groups).argmax(axis=1)
        table = moe.inference(X, y, groups=groups).table
        for k, c in enumerate(matched(labels, kind)[1]):
            own = table.xs(("expert", f"expert {k + 1}"), level=(0, 1))[:3]
            inside += list((own.low <= TRUTH[c]) & (TRUTH[c] <= own.high))
    assert 0.93 <= np.mean(inside) <= 0.97


def test_the_optimum_is_that_of_a_direct_maximisation():
    X, y, groups, _ = three_classes(3, subjects=24, visits=4, noise=0.8)
    X[:, 1] += np.repeat(np.linspace(-1.0, 1.0, 24), 4)
    means = np.array([X[groups == g].mean(axis=0) for g in range(24)])
    gate = SoftmaxGate(alpha=0.0, features=[1])
    moe = MoERegressor(2, gate=gate, tol=1e-12, **QUICK).fit(X, y, groups=groups)

    def minus(theta):
        a, b = theta[0] + theta[1] * means[:, 1], theta[2:]
        eta = np.column_stack([a, np.zeros_like(a)])
        log_gate = eta - np.logaddexp.reduce(eta, axis=1)[:, None]
        slopes = b[2:6].reshape(2, 2)
        return -by_hand(X, y, groups, log_gate, b[:2], slopes, np.exp(b[6:]))

    start = [
        float(moe.gate_.intercept_[0]),
        float(moe.gate_.coef_[0, 0]),
        *(e.intercept_ for e in moe.experts_),
        *np.concatenate([e.coef_ for e in moe.experts_]),
        *(np.log(e.scale_) for e in moe.experts_),
    ]
    assert -minus(np.array(start)) == pytest.approx(moe.log_likelihood_, abs=1e-8)
    moved = np.array(start) + 0.02 * np.random.default_rng(0).normal(size=len(start))
    found = minimize(minus, moved, method="BFGS", options={"gtol": 1e-7})
    assert -found.fun == pytest.approx(moe.log_likelihood_, abs=1e-6)
    np.testing.assert_allclose(found.x, start, atol=2e-4)


@pytest.mark.parametrize(
    "solver",
    ["newton", "squarem", "lbfgs", EM(finish=None), Adam(), SGD(batch_size=60), EM(annealing=0.5)],
    ids=str,
)
def test_all_solvers_climb_to_the_same_height(table, moe, solver):
    X, y, groups, _ = table
    other = clone(moe).set_params(solver=solver).fit(X, y, groups=groups)
    assert other.log_likelihood_ == pytest.approx(moe.log_likelihood_, abs=2e-3)
    assert (np.diff(other.trace_) >= -1e-9 * abs(other.trace_[:-1])).all()


@pytest.mark.parametrize("assignment", ["hard", "stochastic"])
def test_hard_and_drawn_labels_are_those_of_groups(table, moe, assignment):
    X, y, groups, kind = table
    other = clone(moe).set_params(solver=EM(assignment=assignment)).fit(X, y, groups=groups)
    labels = other.responsibilities(X, y, groups=groups).argmax(axis=1)
    assert matched(labels, kind)[0] == 1.0


@pytest.mark.parametrize("gate", ["softmax", "gaussian", "constant"])
@pytest.mark.parametrize("expert", ["gaussian", "laplace", "student_t"])
def test_the_likelihood_is_that_of_groups(table, expert, gate):
    X, y, groups, _ = table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MoERegressor(2, expert=expert, gate=gate, max_iter=20, **QUICK)
        model.fit(X, y, groups=groups)
    rows = model.expert_log_density(X, y)
    first = np.unique(groups, return_index=True)[1]
    joint = np.log(model.gate_proba(X, groups=groups)[first])
    joint += np.add.reduceat(rows, first, axis=0)
    value = np.logaddexp.reduce(joint, axis=1)
    np.testing.assert_allclose(model.score_samples(X, y, groups=groups), value, atol=1e-9)
    assert model.log_likelihood_ == pytest.approx(value.sum(), rel=1e-10)
    posterior = np.exp(joint - value[:, None])
    R = model.responsibilities(X, y, groups=groups)
    np.testing.assert_allclose(R, posterior[groups], atol=1e-10)


#: A target of each family, from one on a line and a generator.
TARGETS = {
    "beta": lambda y, rng: expit(y),
    "binomial": lambda y, rng: rng.binomial(5, expit(y)).astype(float),
    "gamma": lambda y, rng: np.exp(y),
    "gaussian": lambda y, rng: np.column_stack([y, y**2 + rng.normal(size=y.size)]),
    "inverse_gaussian": lambda y, rng: np.exp(y),
    "laplace": lambda y, rng: y,
    "logistic": lambda y, rng: rng.random(y.size) < expit(3.0 * y - 3.0),
    "lognormal": lambda y, rng: np.exp(y),
    "multinomial": lambda y, rng: np.digitize(y + rng.normal(size=y.size), [0.0, 2.0]),
    "negative_binomial": lambda y, rng: rng.poisson(np.exp(0.5 * y) * rng.gamma(2.0, 0.5, y.size)),
    "poisson": lambda y, rng: rng.poisson(np.exp(0.5 * y)),
    "skew_normal": lambda y, rng: y + 0.5 * np.abs(rng.standard_normal(y.size)),
    "skew_t": lambda y, rng: y + 0.5 * np.abs(rng.standard_t(5, y.size)),
    "student_t": lambda y, rng: y + 0.3 * rng.standard_t(4, y.size),
    "weibull": lambda y, rng: np.exp(y),
}


@pytest.mark.parametrize("name", [n for n, e in EXPERTS.items() if issubclass(e, LinearExpert)])
def test_every_family_takes_groups(name):
    X, y, groups, _ = three_classes(1, noise=0.3)
    y = TARGETS[name](y, np.random.default_rng(0))
    kind = MoEClassifier if name in ("logistic", "multinomial") else MoERegressor
    expert = EXPERTS[name](trials=5) if name == "binomial" else EXPERTS[name]()
    model = kind(2, expert=expert, gate="constant", **QUICK).fit(X, y, groups=groups)
    R = model.responsibilities(X, y, groups=groups)
    np.testing.assert_array_equal(R, R[np.searchsorted(groups, groups)])
    joint = np.log(model.gate_.weights_) + np.add.reduceat(
        model.expert_log_density(X, y), np.arange(0, 360, 6), axis=0
    )
    value = np.logaddexp.reduce(joint, axis=1)
    assert model.log_likelihood_ == pytest.approx(value.sum(), rel=1e-9)
    np.testing.assert_allclose(model.score_samples(X, y, groups=groups), value, rtol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        table = model.inference(X, y, kind="sandwich", groups=groups).table
    slopes = table.xs("slope", level="kind").std_error
    assert (slopes > 0.0).all()


def test_estimators_and_unlike_experts_take_groups(table):
    X, y, groups, kind = table
    plain = EstimatorExpert(LinearRegression())
    model = MoERegressor(3, expert=plain, gate="constant", **QUICK).fit(X, y, groups=groups)
    labels = model.responsibilities(X, y, groups=groups).argmax(axis=1)
    assert matched(labels, kind)[0] == 1.0
    for solver in (EM(), EM(finish=None)):
        gate = EstimatorGate(LogisticRegression())
        outside = MoERegressor(
            3, expert=plain, gate=gate, solver=solver, n_init=2, random_state=0, tol=1e-4
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            outside.fit(X, y, groups=groups)
        labels = outside.responsibilities(X, y, groups=groups).argmax(axis=1)
        assert matched(labels, kind)[0] > 0.95
    pair = [("line", GaussianExpert()), ("curve", GaussianExpert(features=PolynomialFeatures(2)))]
    mixed = MoERegressor(2, expert=pair, gate=SoftmaxGate(features=[1]), **QUICK)
    mixed.fit(X, y, groups=groups)
    assert mixed.log_likelihood(X, y, groups=groups) == pytest.approx(mixed.log_likelihood_)


def test_trees_of_a_given_shape_take_groups(table):
    X, y, groups, kind = table
    tree = HierarchicalMoERegressor(branching=[[2], 1], n_init=4, random_state=0)
    tree.fit(X, y, groups=groups)
    labels = tree.responsibilities(X, y, groups=groups).argmax(axis=1)
    assert matched(labels, kind)[0] == 1.0
    known = {"groups": groups}
    R, nodes = tree.responsibilities(X, y, **known), tree.node_responsibilities(X, y, **known)
    leaves = [leaf.number for leaf in tree.tree_.leaves()]
    np.testing.assert_allclose(nodes[:, leaves], R, atol=1e-12)
    np.testing.assert_allclose(nodes[:, 0], 1.0)
    shares = tree.node_proba(X, **known)[:, leaves]
    np.testing.assert_allclose(shares, tree.gate_proba(X, **known), atol=1e-12)
    with pytest.raises(ValueError, match="learn_recursively learns single rows"):
        tree.set_params(expert=GaussianExpert(alpha=0.0)).learn_recursively(X, y)
    with pytest.raises(ValueError, match="groups has no meaning with branching='grow'"):
        HierarchicalMoERegressor(branching="grow").fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="groups has no meaning with least_squares_iter"):
        HierarchicalMoERegressor(branching=(2,), least_squares_iter=2).fit(X, y, groups=groups)


# ------------------------------------------------------------------------- what makes no difference


def test_groups_of_one_row_are_no_groups_exactly(table):
    X, y, _, _ = table
    plain = MoERegressor(2, **QUICK).fit(X, y)
    single = MoERegressor(2, **QUICK).fit(X, y, groups=np.arange(len(y))[::-1])
    assert single.log_likelihood_ == plain.log_likelihood_
    np.testing.assert_array_equal(single.predict(X), plain.predict(X))
    labels = np.arange(len(y))
    assert single.bic(X, y, groups=labels) == pytest.approx(plain.bic(X, y), rel=1e-13)
    pd.testing.assert_frame_equal(
        single.inference(X, y, groups=labels).table, plain.inference(X, y).table
    )


def test_one_group_of_two_rows_hardly_matters_to_the_rest(table):
    # All but one group have one row: the machinery of groups runs, and must say what rows say.
    X, y, _, _ = table
    labels = np.r_[0, np.arange(len(y) - 1)]
    gate = SoftmaxGate(alpha=0.0)
    R = MoERegressor(2, gate=gate, **QUICK).fit(X, y).responsibilities(X, y)
    R[:2] = 0.5
    model = MoERegressor(2, gate=gate, init=R, tol=1e-13).fit(X, y, groups=labels)
    value = model.score_samples(X, y, groups=labels)
    assert value.size == len(y) - 1
    np.testing.assert_allclose(value[1:], model.score_samples(X[2:], y[2:]), atol=1e-10)


def test_order_of_rows_and_names_of_groups_do_not_matter(table, moe):
    X, y, groups, _ = table
    order = np.random.default_rng(0).permutation(len(y))
    names = np.array([f"subject {(7 * g) % 60}" for g in groups])
    other = clone(moe).fit(X[order], y[order], groups=names[order])
    assert other.log_likelihood_ == pytest.approx(moe.log_likelihood_, rel=1e-13)
    np.testing.assert_array_equal(other.predict(X), moe.predict(X))
    there = other.responsibilities(X[order], y[order], groups=names[order])
    np.testing.assert_allclose(there, moe.responsibilities(X, y, groups=groups)[order], atol=1e-13)


def test_a_weight_of_two_is_a_group_seen_twice(table):
    X, y, groups, _ = table
    w = 1.0 + (groups < 20)
    twice = np.r_[np.arange(len(y)), np.flatnonzero(groups < 20)]
    labels = np.r_[groups, 100 + groups[groups < 20]]
    weighted = MoERegressor(2, **QUICK).fit(X, y, w, groups=groups)
    repeated = MoERegressor(2, **QUICK).fit(X[twice], y[twice], groups=labels)
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, rel=1e-11)
    value = weighted.bic(X, y, w, groups=groups)
    assert value == pytest.approx(repeated.bic(X[twice], y[twice], groups=labels), rel=1e-11)
    a = weighted.inference(X, y, sample_weight=w, groups=groups).table
    b = repeated.inference(X[twice], y[twice], groups=labels).table
    np.testing.assert_allclose(a.std_error, b.std_error, rtol=1e-6)


def test_groups_without_weight_do_not_count(table, moe):
    X, y, groups, _ = table
    more = np.r_[X, X[:12] + 9.0]
    w = np.r_[np.ones(len(y)), np.zeros(12)]
    other = clone(moe).fit(more, np.r_[y, y[:12]], w, groups=np.r_[groups, groups[:12] + 500])
    assert other.log_likelihood_ == moe.log_likelihood_


@pytest.mark.parametrize("options", [{"block_size": 50}, {"block_size": 7, "n_jobs": 2}], ids=str)
def test_size_of_blocks_and_threads_do_not_matter(table, moe, options):
    X, y, groups, _ = table
    other = clone(moe).set_params(**options).fit(X, y, groups=groups)
    assert other.log_likelihood_ == pytest.approx(moe.log_likelihood_, abs=1e-7)


def test_blocks_of_whole_groups_give_the_same_fit(table, moe):
    X, y, groups, _ = table
    cuts = [slice(0, 120), slice(120, 126), slice(126, 360)]
    blocks = [(X[c], y[c], None, groups[c]) for c in cuts]
    other = clone(moe).fit_blocks(blocks)
    assert other.log_likelihood_ == pytest.approx(moe.log_likelihood_, abs=1e-6)
    assert other.inference(X, y, groups=groups).table.std_error.notna().all()
    torn = [(X[c], y[c], None, groups[c]) for c in (slice(0, 123), slice(123, 360))]
    with pytest.raises(ValueError, match="block 1 has rows of group 20, which an earlier block"):
        clone(moe).fit_blocks(torn)
    with pytest.raises(ValueError, match="block 1 comes without groups"):
        clone(moe).fit_blocks([blocks[0], blocks[2][:2]])


def test_more_rows_than_a_sample_holds():
    X, y, groups, kind = three_classes(2, subjects=4200, visits=5)
    gate = SoftmaxGate(features=[1])
    model = MoERegressor(3, gate=gate, n_init=3, random_state=0).fit(X, y, groups=groups)
    labels = model.responsibilities(X, y, groups=groups).argmax(axis=1)
    assert matched(labels, kind)[0] > 0.99
    assert model.start_report_.weight.max() < len(y)
    order = np.random.default_rng(0).permutation(len(y))
    other = clone(model).fit(X[order], y[order], groups=groups[order])
    assert other.log_likelihood_ == pytest.approx(model.log_likelihood_, abs=1e-4)


# ------------------------------------------------------------------------- gate


def test_the_gate_sees_means_and_says_so(table):
    X, y, groups, _ = table
    frame = pd.DataFrame(X, columns=["time", "treated"])
    model = MoERegressor(2, **QUICK).fit(frame, y, groups=groups)
    assert model.gate_.feature_names_ == ("mean(time)", "treated")
    assert ("gate", "slope", "mean(time)") in model.summary().index
    means = frame.groupby(groups).transform("mean")
    shares = model.gate_proba(frame, groups=groups)
    np.testing.assert_allclose(shares, model.gate_proba(means), atol=1e-12)


def test_means_that_differ_by_rounding_alone_are_constant(table):
    _, y, groups, _ = table
    time = np.tile([-0.7, -0.3, 0.1, 0.2, 0.3, 0.4], 60)
    rng = np.random.default_rng(0)
    order = np.concatenate([6 * g + rng.permutation(6) for g in range(60)])
    X = np.column_stack([time[order], np.repeat(rng.normal(size=60), 6)])
    model = MoERegressor(2, **QUICK).fit(X, y, groups=groups)
    assert (model.gate_.coef_[:, 0] == 0.0).all()


def test_given_responsibilities_are_averaged_in_a_group(table, moe):
    X, y, groups, kind = table
    R = np.eye(3)[np.where(np.arange(len(y)) % 6 == 0, (kind + 1) % 3, kind)]
    order = np.random.default_rng(0).permutation(len(y))
    other = MoERegressor(3, gate="constant", init=R[order], n_init=1)
    other.fit(X[order], y[order], groups=groups[order])
    assert other.log_likelihood_ == pytest.approx(moe.log_likelihood_, abs=1e-3)


def test_a_warm_start_goes_on(table, moe):
    X, y, groups, _ = table
    again = clone(moe).fit(X, y, groups=groups)
    before = again.log_likelihood_
    again.set_params(warm_start=True).fit(X, y, groups=groups)
    assert again.n_iter_ <= 3
    assert again.log_likelihood_ == pytest.approx(before, abs=1e-4)


def test_a_warm_start_needs_groups_again(table):
    X, y, groups, _ = table
    gate = SoftmaxGate(features=[1])
    model = MoERegressor(2, gate=gate, warm_start=True, **QUICK).fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="or groups where now there are none"):
        model.fit(X, y)


@pytest.mark.parametrize("blocks", [False, True], ids=["memory", "blocks"])
def test_rows_held_out_are_those_of_whole_groups(table, blocks):
    X, y, groups, _ = table
    solver = Adam(batch_size=60, validation_fraction=0.2)
    model = MoERegressor(3, gate="constant", solver=solver, max_iter=60, **QUICK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if blocks:
            cuts = [slice(0, 180), slice(180, 360)]
            model.fit_blocks([(X[c], y[c], None, groups[c]) for c in cuts])
        else:
            model.fit(X, y, groups=groups)
    value = model.log_likelihood(X, y, groups=groups)
    assert model.log_likelihood_ == pytest.approx(value, rel=1e-9)
    assert value > -400.0


# ------------------------------------------------------------------------- routing


def test_searches_route_groups_to_fits_and_folds(table):
    X, y, groups, _ = table
    with sklearn.config_context(enable_metadata_routing=True):
        model = MoERegressor(2, gate="constant", n_init=2, random_state=0)
        model = model.set_fit_request(groups=True)
        search = GridSearchCV(model, {"n_experts": [1, 3]}, cv=GroupKFold(3), n_jobs=1)
        search.fit(X, y, groups=groups)
    best = search.best_estimator_
    direct = clone(best).fit(X, y, groups=groups)
    assert best.log_likelihood_ == direct.log_likelihood_


# ------------------------------------------------------------------------- on line


def test_batches_of_groups_end_where_a_fit_does(table, moe):
    X, y, groups, _ = table
    online = clone(moe)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for start in range(0, 360, 90):
            part = slice(start, start + 90)
            online.partial_fit(X[part], y[part], groups=groups[part])
        value = online.log_likelihood(X, y, groups=groups)
        assert value == pytest.approx(moe.log_likelihood_, abs=5.0)
        for _ in range(4):
            online.partial_fit(X, y, groups=groups)
    assert online.log_likelihood(X, y, groups=groups) > moe.log_likelihood_ - 0.5
    with pytest.raises(ValueError, match="the first rows came with groups, this batch comes"):
        online.partial_fit(X, y)
    rows = MoERegressor(1).partial_fit(X, y)
    with pytest.raises(ValueError, match="the first rows came without groups"):
        rows.partial_fit(X, y, groups=groups)


def test_groups_wait_until_there_are_enough(table):
    X, y, groups, _ = table
    online = MoERegressor(3, gate="constant", **QUICK)
    for g in (0, 1):
        online.partial_fit(X[groups == g], y[groups == g], groups=groups[groups == g])
        assert not hasattr(online, "experts_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        online.partial_fit(X[groups > 1], y[groups > 1], groups=groups[groups > 1])
    assert online._fitted.online.weight == 360.0


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.zeros(359), r"groups has shape \(359,\), X has 360 rows"),
        (np.zeros((360, 2)), r"groups has shape \(360, 2\), X has 360 rows"),
        (np.r_[np.nan, np.arange(359.0) // 2], r"groups has no label \(NaN\) in 1 rows: \[0\]"),
        (np.array([None, *"ab" * 179, "c"], dtype=object), "groups has no label"),
        (np.full(360, "x"), "groups has a single label, 'x'"),
        (np.arange(360) // 180, "n_experts=3 is more than the 2 groups with positive weight"),
    ],
    ids=["short", "wide", "nan", "none", "one", "few"],
)
def test_bad_groups_are_refused(table, groups, message):
    X, y, _, _ = table
    with pytest.raises(ValueError, match=message):
        MoERegressor(3).fit(X, y, groups=groups)


def test_weights_that_vary_within_a_group_are_refused(table):
    X, y, groups, _ = table
    w = np.ones(len(y))
    w[7] = 2.0
    with pytest.raises(ValueError, match="sample_weight varies within group 1: from 1 to 2"):
        MoERegressor(2).fit(X, y, w, groups=groups)
    w[7] = 0.0
    with pytest.raises(ValueError, match="sample_weight varies within group 1: from 0 to 1"):
        MoERegressor(2).fit(X, y, w, groups=groups)


def test_objectives_of_rows_are_refused(table):
    X, y, groups, _ = table
    with pytest.raises(ValueError, match="groups needs an objective that gives all rows"):
        MoERegressor(2, solver=SGD(error="competitive")).fit(X, y, groups=groups)


@pytest.mark.parametrize(
    ("estimator", "why"),
    [
        (HardMoERegressor(2), "hard mixtures give rows to experts one by one"),
        (MetaPiRegressor([LinearRegression()]), "every row has the experts blended anew"),
        (SparseMoERegressor(4), "routers send rows one by one"),
    ],
    ids=["hard", "blend", "net"],
)
def test_systems_that_give_out_rows_refuse_groups(table, estimator, why):
    X, y, groups, _ = table
    with pytest.raises(ValueError, match=f"groups has no meaning, {why}"):
        estimator.fit(X, y, groups=groups)


def test_what_is_about_the_fit_asks_for_its_groups(table, moe):
    X, y, _, _ = table
    for name in ("aic", "bic", "icl", "inference"):
        with pytest.raises(ValueError, match=f"{name} needs them too: pass groups"):
            getattr(moe, name)(X, y)


def test_a_gate_that_tells_groups_apart_is_told_of(table):
    # Means of the groups are told apart, their rows are not.
    _, _, groups, kind = table
    rng = np.random.default_rng(0)
    side = np.where(kind == 0, -1.0, 1.0) + np.where(np.arange(360) % 2, 5.0, -5.0)
    X = np.column_stack([rng.uniform(-1.0, 1.0, 360), side])
    slope = np.where(kind == 0, 3.0, -3.0)
    target = slope * X[:, 0] + 0.1 * rng.normal(size=360)
    expert = GaussianExpert(features=[0])
    model = MoERegressor(2, expert=expert, gate=SoftmaxGate(features=[1]), **QUICK)
    model.fit(X, target, groups=groups)
    assert [s.component for s in model._fitted.separated] == [0]
    with pytest.warns(UserWarning, match="separate"):
        model.inference(X, target, groups=groups)
