"""Nets with experts as estimators: what users see, and what must hold."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from moe_classic import MoERegressor, SparseMoEClassifier, SparseMoERegressor
from moe_classic._results import fitted_net
from moe_classic.datasets import load_motorcycle, make_regimes
from moe_classic.routers import (
    ROUTERS,
    DenseRouter,
    ExpertChoiceRouter,
    Features,
    HashRouter,
    Patches,
    RoutingWarning,
    SoftRouter,
    TopKRouter,
)
from moe_classic.solvers import DivergenceError

QUIET = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::moe_classic.routers.RoutingWarning"
)
pytestmark = QUIET


def regimes(n=400, seed=0, **options):
    return make_regimes(n, n_regimes=4, n_features=3, random_state=seed, **options)


def labels(n=400, seed=0):
    X, y, cell = regimes(n, seed, return_regimes=True)
    return X, np.array(["a", "b", "c"])[(cell + (y > 0)) % 3]


def small(cls=SparseMoERegressor, n_experts=4, **options):
    settings = {"width": 8, "expert_width": 8, "max_iter": 8, "random_state": 0}
    return cls(n_experts, **settings | options)


# ------------------------------------------------------------------------- every router


@pytest.mark.parametrize("n_experts", [2, 8, 64])
@pytest.mark.parametrize("cls", [SparseMoERegressor, SparseMoEClassifier])
def test_grid_over_all_routers(cls, n_experts):
    X, y = regimes(240) if cls is SparseMoERegressor else labels(240)
    grid = GridSearchCV(
        small(cls, n_experts, max_iter=2), {"router": sorted(ROUTERS)}, cv=2, error_score="raise"
    )
    grid.fit(X, y)
    scores = grid.cv_results_["mean_test_score"]
    assert len(scores) == len(ROUTERS)
    assert np.isfinite(scores).all()


def test_grid_over_settings_of_a_router():
    X, y = regimes()
    grid = GridSearchCV(
        small(router=TopKRouter()), {"router__top_k": [1, 2, 3], "router__balance": [0, 0.1]}, cv=2
    )
    assert grid.fit(X, y).best_params_["router__top_k"] in (1, 2, 3)


@pytest.mark.parametrize("name", sorted(ROUTERS))
def test_a_row_is_predicted_alone_as_among_others(name):
    X, y = regimes()
    moe = small(router=name).fit(X, y)
    together = moe.predict(X[:20])
    alone = np.concatenate([moe.predict(X[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, together, atol=1e-12)
    gate = moe.gate_proba(X[:20])
    np.testing.assert_allclose(moe.gate_proba(X[3:4])[0], gate[3], atol=1e-12)


# ------------------------------------------------------------------------- what users see


def test_attributes_add_up():
    X, y = regimes()
    moe = small(n_layers=2, router="switch").fit(X, y)
    assert moe.load_.shape == (2, 4)
    np.testing.assert_allclose(moe.load_.sum(axis=1), 1.0)
    np.testing.assert_array_equal(moe.load_, moe.load_history_[moe.best_iter_ - 1])
    assert moe.load_history_.shape == (moe.n_iter_, 2, 4)
    history = moe.history_
    assert history.columns[-1] == "seconds"
    assert {"balance_0", "balance_1", "dropped_1", "balance_entropy_0"} <= set(history.columns)
    assert history.validation.min() == pytest.approx(moe.best_loss_)
    assert history.loss[moe.best_iter_ - 1] == moe.loss_
    stream, expert = 4 * 8, (9 * 8) * 2
    shared = stream + 9 + 2 * (8 * 4 + 4)
    assert moe.n_parameters_ == shared + 2 * 4 * expert
    assert moe.n_active_parameters_ == shared + 2 * expert
    assert moe.dropped_.shape == moe.uncovered_.shape == (2,)


def test_routing_gate_and_experts_agree():
    X, y = regimes()
    moe = small(n_layers=2).fit(X, y)
    table = moe.routing(X[:30])
    assert list(table.columns) == ["row", "layer", "rank", "expert", "weight"]
    for layer in (0, 1):
        gate = moe.gate_proba(X[:30], layer=layer)
        assert ((gate > 0).sum(axis=1) == 2).all()
        np.testing.assert_allclose(gate.sum(axis=1), 1.0, rtol=1e-12)
        mine = table[table.layer == layer]
        first = mine[mine["rank"] == 0]
        np.testing.assert_array_equal(first.expert, moe.predict_expert(X[:30], layer=layer))
        np.testing.assert_allclose(mine.weight, gate[mine.row, mine.expert])
    with pytest.raises(ValueError, match="layer=2"):
        moe.gate_proba(X, layer=2)


def test_rows_without_an_expert_say_so():
    X, y = regimes()
    with pytest.warns(RoutingWarning, match="of the rows had no expert"):
        moe = small(router=ExpertChoiceRouter(0.5), max_iter=3).fit(X, y)
    experts = moe.predict_expert(X)
    bare = (moe.gate_proba(X) == 0).all(axis=1)
    assert bare.any()
    np.testing.assert_array_equal(experts == -1, bare)
    assert moe.uncovered_[0] > 0.05


def test_summary_and_html_describe_the_fit():
    X, y = regimes()
    moe = small(router="deepseek_v3").fit(X, y)
    table = moe.summary()
    assert table.load.sum() == pytest.approx(1.0)
    assert (table.kind == "shared").sum() == 1
    assert table.bias.notna().sum() == 4
    html = moe._repr_html_()
    assert "share of the rows" in html
    assert "TopKRouter" in html
    assert "share of the rows" not in small()._repr_html_()


def test_names_of_features_are_kept():
    X, y = regimes()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    moe = small().fit(frame, y)
    assert list(moe.feature_names_in_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        moe.predict(frame[["b", "a", "c"]])


def test_router_may_look_at_columns_or_at_a_transformer():
    X, y = regimes()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    moe = small(router=TopKRouter(1, features=["b"])).fit(frame, y)
    other = frame.assign(a=9.0, c=-9.0)
    np.testing.assert_array_equal(moe.predict_expert(frame), moe.predict_expert(other))
    squares = FunctionTransformer(np.square)
    moe = small(router=DenseRouter(features=squares)).fit(X, y)
    np.testing.assert_allclose(moe.gate_proba(X), moe.gate_proba(-X), atol=1e-12)
    with pytest.raises(ValueError, match="features"):
        small(router=TopKRouter(features=["z"])).fit(frame, y)


def test_categories_are_routed_by_a_table():
    X, y = regimes()
    X[:, 0] = np.random.default_rng(0).integers(0, 6, len(X))
    moe = small(router=HashRouter(features=[0])).fit(X, y)
    expert = moe.predict_expert(X)
    assert all(len(set(expert[X[:, 0] == c])) == 1 for c in range(6))


# ------------------------------------------------------------------------- targets


def test_several_outputs_and_shapes():
    X, y = regimes(n_outputs=2)
    moe = small().fit(X, y)
    assert moe.predict(X).shape == y.shape
    single = small().fit(X, y[:, 0])
    assert single.predict(X).shape == (len(X),)


def test_scale_and_offset_of_data_do_not_matter():
    X, y = regimes()
    moe = small().fit(X, y)
    other = small().fit(1e3 * X + 50.0, 1e-4 * y + 7.0)
    np.testing.assert_allclose(other.predict(1e3 * X + 50.0), 1e-4 * moe.predict(X) + 7.0)


def test_learns_what_it_is_for():
    X, y = make_regimes(6000, n_regimes=8, n_features=3, random_state=0)
    moe = SparseMoERegressor(8, random_state=0, max_iter=60).fit(X[:4500], y[:4500])
    assert moe.score(X[4500:], y[4500:]) > 0.85


def test_classes_by_name_and_probabilities():
    X, y = labels()
    moe = small(SparseMoEClassifier).fit(X, y)
    proba = moe.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(moe.classes_[proba.argmax(axis=1)], moe.predict(X))
    np.testing.assert_allclose(np.exp(moe.predict_log_proba(X)), proba)


def test_patches_of_digits():
    X, y = load_digits(return_X_y=True)
    moe = SparseMoEClassifier(tokens=Patches((8, 8), 4), max_iter=15, random_state=0)
    assert moe.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]) > 0.8
    assert moe.gate_proba(X[:5]).shape == (5, 8)
    soft = moe.set_params(router=SoftRouter(2), max_iter=2).fit(X[:300], y[:300])
    np.testing.assert_allclose(
        soft.predict_proba(X[7:8])[0], soft.predict_proba(X[:20])[7], atol=1e-12
    )


def test_features_as_tokens():
    X, y = regimes()
    moe = small(tokens=Features()).fit(X, y)
    assert np.isfinite(moe.predict(X)).all()
    assert fitted_net(moe).net.layers[0].arrays["places"].shape == (3, 8)


# ------------------------------------------------------------------------- densities


def mixture_by_hand(moe, X, y):
    """The net that is a fitted mixture of linear Gaussian experts with a softmax gate."""
    p, K = X.shape[1], len(moe.experts_)
    net = SparseMoERegressor(
        K,
        router="dense",
        width=None,
        expert_width=1,
        activation="identity",
        mix="densities",
        max_iter=1,
        validation_fraction=0,
    ).fit(X, y)
    centre, scale = X.mean(axis=0), X.std(axis=0)
    shift, factor = y.mean(), y.std()
    layer, head = net.routers_[0], fitted_net(net).net.head
    head.arrays["W"][:] = 0.0
    head.arrays["W"][0] = 1.0
    for k, expert in enumerate(moe.experts_):
        W1, W2 = layer.experts.maps(layer.table[k])
        slopes = expert.coef_ * scale / factor
        W1[:p, 0] = slopes - np.eye(p)[0]
        W1[p, 0] = (expert.intercept_ + expert.coef_ @ centre - shift) / factor
        W2[:] = 0.0
        W2[0, 0] = 1.0
        head.arrays["log_sigma"][k] = np.log(expert.extras["scale_"] / factor)
    gate = moe.gate_
    layer.arrays["W"][:] = (gate.coef_ * scale).T
    layer.arrays["b"][:] = gate.intercept_ + gate.coef_ @ centre
    return net


def test_dense_linear_experts_with_densities_are_the_classic_mixture():
    X, y = load_motorcycle(return_X_y=True)
    moe = MoERegressor(3, random_state=0, n_init=2).fit(X, y)
    net = mixture_by_hand(moe, X, y)
    expected = moe.score_samples(X, y)
    np.testing.assert_allclose(net.score_samples(X, y), expected, rtol=1e-12, atol=1e-12)
    assert net.score_samples(X, y).sum() == pytest.approx(moe.log_likelihood_, rel=1e-12)
    np.testing.assert_allclose(net.predict(X), moe.predict(X), rtol=1e-11)
    np.testing.assert_allclose(net.gate_proba(X), moe.gate_proba(X), atol=1e-12)
    mean, std = net.predict(X, return_std=True)
    np.testing.assert_allclose(mean, moe.predict(X), rtol=1e-11)
    np.testing.assert_allclose(std, moe.predict(X, return_std=True)[1], rtol=1e-10)


def test_blend_of_experts_with_densities():
    X, y = labels()
    moe = small(SparseMoEClassifier, mix="densities").fit(X, y)
    each = moe.expert_predictions(X)
    assert (np.isnan(each[:, :, 0]).sum(axis=1) == 2).all()
    blend = np.nansum(moe.gate_proba(X)[:, :, None] * each, axis=1)
    np.testing.assert_allclose(blend, moe.predict_proba(X), atol=1e-12)
    code = np.searchsorted(moe.classes_, y)
    np.testing.assert_allclose(
        moe.score_samples(X, y), np.log(moe.predict_proba(X)[np.arange(len(y)), code])
    )


def test_outputs_have_no_density_of_their_own():
    X, y = regimes()
    moe = small().fit(X, y)
    assert not hasattr(moe, "score_samples")
    with pytest.raises(AttributeError, match="mix='densities'"):
        moe.predict(X, return_std=True)


# ------------------------------------------------------------------------- training


def test_same_seed_same_bits_and_threads_change_nothing():
    X, y = regimes()
    one, two = small().fit(X, y), small(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    assert not np.array_equal(small(random_state=1).fit(X, y).predict(X), one.predict(X))


def test_float32_stays_float32():
    X, y = regimes()
    moe = small().fit(X.astype(np.float32), y)
    assert moe.predict(X.astype(np.float32)).dtype == np.float32
    assert all(layer.table.dtype == np.float32 for layer in moe.routers_)
    assert small(dtype=np.float64).fit(X.astype(np.float32), y).predict(X).dtype == np.float64


def test_warm_start_goes_on():
    X, y = regimes()
    moe = small(warm_start=True, max_iter=5).fit(X, y)
    first = moe.best_loss_
    moe.fit(X, y)
    assert moe.n_iter_ == 10
    assert list(moe.history_.epoch) == list(range(1, 11))
    assert moe.loss_ < first
    with pytest.raises(ValueError, match="warm_start=True cannot go on"):
        moe.set_params(n_experts=5).fit(X, y)


def test_partial_fit_learns_batch_by_batch():
    X, y = regimes(1200)
    moe = small(router="expert_choice")
    before = []
    for _ in range(12):
        for part in np.split(np.arange(1200), 3):
            moe.partial_fit(X[part], y[part])
            before.append(moe.score(X, y))
    assert before[-1] > before[0] + 0.1
    assert moe.n_iter_ == 36
    assert moe.routers_[0].state["threshold"].shape == (4,)


def test_partial_fit_needs_all_classes_at_first():
    X, y = labels()
    moe = small(SparseMoEClassifier).partial_fit(X[y == "a"], y[y == "a"], classes=["a", "b", "c"])
    moe.partial_fit(X, y)
    assert list(moe.classes_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="which was not seen in fit"):
        small(SparseMoEClassifier).partial_fit(X[y != "c"], y[y != "c"]).partial_fit(X, y)


def test_thresholds_of_batches_are_averaged_by_weight():
    X, y = regimes()
    moe = small(router="expert_choice").partial_fit(X[:300], y[:300])
    old = moe.routers_[0].state["threshold"].copy()
    again = copy.deepcopy(moe)
    moe.partial_fit(X[300:], y[300:])
    again._fitted = replace(again._fitted, weight=0.0)
    fresh = again.partial_fit(X[300:], y[300:]).routers_[0].state["threshold"]
    np.testing.assert_allclose(moe.routers_[0].state["threshold"], 0.75 * old + 0.25 * fresh)


def test_weights_count_and_rows_of_weight_zero_do_not():
    X, y = regimes()
    w = np.ones(len(X))
    w[:50] = 0.0
    moe = small(validation_fraction=0).fit(X, y, sample_weight=w)
    same = small(validation_fraction=0).fit(X[50:], y[50:])
    np.testing.assert_allclose(moe.predict(X), same.predict(X), atol=1e-12)
    heavy = small().fit(X, y, sample_weight=np.where(y > 0, 50.0, 1.0))
    assert heavy.predict(X).mean() > small().fit(X, y).predict(X).mean()


def test_fit_ends_by_itself_and_keeps_the_best():
    X, y = regimes()
    moe = small(max_iter=400, patience=3, batch_size=32).fit(X, y)
    assert moe.n_iter_ < 400
    assert moe.best_iter_ <= moe.n_iter_ - 3
    again = small(max_iter=moe.best_iter_, patience=3, batch_size=32).fit(X, y)
    np.testing.assert_array_equal(again.predict(X), moe.predict(X))


def test_running_away_raises_and_keeps_what_was_good():
    X, y = regimes()
    moe = small(learning_rate=1e25, weight_decay=0.0)
    with pytest.raises(DivergenceError, match="Lower learning_rate=1e\\+25"):
        moe.fit(X.astype(np.float32), y)
    assert np.isfinite(moe.predict(X)).all()


@pytest.mark.parametrize("module", [pickle, None])
def test_comes_back_from_storage(module):
    X, y = regimes()
    moe = small(router="soft", n_layers=2).fit(X, y)
    if module is None:
        sio = pytest.importorskip("skops.io")
        data = sio.dumps(moe)
        wanted = sio.get_untrusted_types(data=data)
        assert [name for name in wanted if not name.startswith("moe_classic.")] == []
        again = sio.loads(data, trusted=wanted)
    else:
        again = pickle.loads(pickle.dumps(moe))
    np.testing.assert_array_equal(again.predict(X), moe.predict(X))
    pd.testing.assert_frame_equal(again.history_, moe.history_)


def test_fit_leaves_the_router_that_was_given_alone():
    X, y = regimes()
    router = TopKRouter(1)
    before = repr(vars(router))
    moe = small(router=router).fit(X, y)
    assert repr(vars(router)) == before
    assert repr(clone(moe)) == repr(moe)


def test_in_a_pipeline_with_weights_routed():
    import sklearn

    X, y = regimes()
    with sklearn.config_context(enable_metadata_routing=True):
        moe = small().set_fit_request(sample_weight=True)
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), moe)
        pipe.fit(X, y, sample_weight=np.ones(len(y)))
    assert pipe.predict(X).shape == y.shape


def test_callbacks_hear_every_epoch_and_may_stop():
    from sklearn.callback import FitCallback

    class Count(FitCallback):
        def __init__(self):
            self.epochs = []

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            if context.task_name == "iteration":
                self.epochs.append(context.task_id)
                return len(self.epochs) == 4
            return None

    X, y = regimes()
    count = Count()
    moe = small().set_callbacks(count)
    moe.fit(X, y)
    assert 4 <= len(count.epochs) <= moe.n_iter_ <= 8


# ------------------------------------------------------------------------- what raises and warns


def test_collapse_is_told_with_numbers():
    X, y = regimes()
    router = TopKRouter(1, balance=0.0)
    moe = small(n_experts=16, router=router)
    original = type(router).start

    def leaning(self, width, n_experts, rng, dtype):
        params = original(self, width, n_experts, rng, dtype)
        params["b"][0] = 20.0
        return params

    type(router).start = leaning
    try:
        with pytest.warns(RoutingWarning, match=r"15 of 16 experts of layer 0 .* raise balance"):
            moe.fit(X, y)
    finally:
        type(router).start = original


def test_dropping_is_told_with_numbers():
    X, y = regimes()
    with pytest.warns(RoutingWarning, match="of the pairs of layer 0 found no room"):
        small(router=TopKRouter(1, capacity=0.3, normalise=False)).fit(X, y)


def test_a_fit_cut_short_is_told():
    X, y = regimes()
    with pytest.warns(ConvergenceWarning, match="still learning after max_iter=2 epochs"):
        small(max_iter=2).fit(X, y)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"n_experts": 0}, ValueError, "n_experts=0"),
        ({"n_experts": 500}, ValueError, "n_experts=500 is more than the n_samples=400"),
        ({"router": "swich"}, ValueError, "router='swich'"),
        ({"router": TopKRouter(9)}, ValueError, "top_k=9"),
        ({"router": TopKRouter(2, capacity=0)}, ValueError, "capacity=0"),
        ({"n_layers": 0}, ValueError, "n_layers=0"),
        ({"expert_width": 2.5}, ValueError, "expert_width=2.5"),
        ({"width": 0}, ValueError, "width=0"),
        ({"width": None, "stem": "relu"}, ValueError, "width=None takes X as it is"),
        ({"stem": "cubic"}, ValueError, "stem='cubic'"),
        ({"activation": "gelu"}, ValueError, "activation='gelu'"),
        ({"mix": "both"}, ValueError, "mix='both'"),
        ({"mix": "densities", "router": "switch"}, ValueError, "use mix='outputs'"),
        ({"mix": "densities", "router": "soft"}, ValueError, "use mix='outputs'"),
        ({"mix": "densities", "tokens": Features()}, ValueError, "several rows a sample"),
        ({"tokens": 4}, TypeError, "tokens=4"),
        ({"tokens": Patches((2, 2), 1)}, ValueError, "4 pixels and X has 3"),
        ({"weight_decay": -1}, ValueError, "weight_decay=-1"),
        ({"dropout": 1.0}, ValueError, "dropout=1.0"),
        ({"validation_fraction": 1.5}, ValueError, "validation_fraction=1.5"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate=0.0"),
        ({"learning_rate": "fast"}, ValueError, "learning_rate='fast'"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"batch_size": "big"}, ValueError, "batch_size='big'"),
        ({"max_iter": 0}, ValueError, "max_iter=0"),
        ({"patience": 0}, ValueError, "patience=0"),
        ({"dtype": "int32"}, ValueError, "dtype='int32'"),
        ({"warm_start": 1}, TypeError, "warm_start=1"),
    ],
)
def test_arguments_that_make_no_sense_raise_before_any_work(options, kind, words):
    X, y = regimes()
    with pytest.raises(kind, match=words):
        small(**options).fit(X, y)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda X, y: (np.where(X > 1, np.nan, X), y), "NaN"),
        (lambda X, y: (X, np.full(len(y), "a")), "two classes"),
        (lambda X, y: (X[:-1], y), "inconsistent numbers of samples"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
    ],
)
def test_bad_rows_raise(change, words):
    with pytest.raises(ValueError, match=words):
        small(SparseMoEClassifier).fit(*change(*labels()))


def test_constant_target_and_constant_features_are_no_trouble():
    X, y = regimes()
    X[:, 1] = 3.0
    np.testing.assert_allclose(small().fit(X, np.full(len(y), 2.5)).predict(X), 2.5, atol=0.5)
