"""Recorded cases of what fitted models are asked: distributions, inference, selection, scores."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression, Ridge

from moe_classic import (
    HierarchicalMoERegressor,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
    datasets,
    metrics,
)
from moe_classic.experts import (
    EXPERTS,
    GaussianExpert,
    LinearExpert,
    MultinomialExpert,
    StudentTExpert,
)
from moe_classic.gates import GATES, SoftmaxGate, TreeGate
from moe_classic.inference import inference, order_of
from moe_classic.model_selection import bootstrap_lrt, select
from moe_classic.onnx import to_onnx

from .registry import OPTIMUM, SHOWN, Values, add, case, classes, frame, lines, outputs, weights

QUICK = {"n_init": 3, "random_state": 0}


@cache
def _real(expert: str = "gaussian", gate: str = "softmax") -> tuple[Any, np.ndarray, np.ndarray]:
    X, y = lines(tails=expert != "gaussian")
    return MoERegressor(2, expert=expert, gate=gate, **QUICK).fit(X, y), X, y


@cache
def _class() -> tuple[Any, np.ndarray, np.ndarray]:
    X, y = classes()
    moe = MoEClassifier(
        2, expert=MultinomialExpert(alpha=1e-2), gate=SoftmaxGate(alpha=1e-3), **QUICK
    )
    return moe.fit(X, y), X, y


# ------------------------------------------------------------------------- distributions


def _distribution(moe: Any, X: np.ndarray, y: np.ndarray) -> Values:
    few = X[:SHOWN]
    return {
        "predict with std": np.array(moe.predict(few, return_std=True)),
        "predict_quantile": moe.predict_quantile(few, [0.01, 0.25, 0.5, 0.9]),
        "predict_interval": moe.predict_interval(few, coverage=0.8),
        "predict_mode": moe.predict_mode(few),
        "predict_cdf": moe.predict_cdf(few, y[:SHOWN]),
        "crps": moe.crps(few, y[:SHOWN]),
        "sample": moe.sample(few, 3, random_state=0),
        "predict_expert": moe.predict_expert(few),
        "transform": moe.transform(few),
        f"{OPTIMUM}mean crps": moe.crps(X, y).mean(),
    }


for _family in ("gaussian", "laplace", "student_t"):
    add(f"distribution, {_family}", lambda family=_family: _distribution(*_real(family)))


@case("distribution, two outputs")
def distribution_of_two_outputs() -> Values:
    X, y = outputs()
    return _distribution(MoERegressor(2, **QUICK).fit(X, y), X, y)


@case("distribution, unlike experts")
def distribution_of_unlike_experts() -> Values:
    X, y = lines()
    experts = [("plane", "gaussian"), ("robust", StudentTExpert(df=4.0)), ("ridge", Ridge())]
    moe = MoERegressor(3, expert=experts, **QUICK).fit(X, y)
    out = _distribution(moe, X, y)
    out["mean crps"] = out.pop(f"{OPTIMUM}mean crps")  # the third expert has nothing to explain
    return out


@case("distribution, classes")
def distribution_of_classes() -> Values:
    moe, X, _ = _class()
    few = X[:SHOWN]
    return {
        "predict_log_proba": moe.predict_log_proba(few),
        "proba of one": moe.predict_proba(few, top_k=1),
        "sample": moe.sample(few, 4, random_state=1),
        "transform": moe.transform(few),
    }


@case("accounts of rows")
def accounts() -> Values:
    moe, X, _ = _real()
    blend = MetaPiRegressor(LinearRegression(), random_state=0)
    blend.fit(X, lines()[1], sources=X[:, 0] > 0.0)
    out: Values = {}
    for name, model in (("real", moe), ("class", _class()[0]), ("blend", blend)):
        table = model.explain(X[:3], min_weight=0.01)
        out |= frame(f"{name} explain", table)
        words = table.select_dtypes(["object", "string"]).astype(str)
        out[f"{name} texts"] = "\n".join(map(" ".join, words.to_numpy()))
    return out


@case("summaries")
def summaries() -> Values:
    X, y = lines()
    tree = HierarchicalMoERegressor((2,), **QUICK).fit(X, y)
    named = (("real", _real()[0]), ("robust", _real("student_t")[0]), ("class", _class()[0]))
    out: Values = {}
    for name, moe in (*named, ("generative", _real(gate="gaussian")[0]), ("tree", tree)):
        out |= frame(name, moe.summary())
    return out


# ------------------------------------------------------------------------- inference


def _table(make: Any, **options: Any) -> Values:
    moe, X, y = make()
    found = inference(moe, X, y, **options)
    out = frame("table", found.table) | {"covariance": found.covariance.to_numpy()}
    return out | ({} if found.draws is None else {"draws": found.draws.to_numpy()})


def _inferred(name: str, make: Any, **options: Any) -> None:
    add(f"inference, {name}", partial(_table, make, **options))


_inferred("observed", _real)
_inferred("outer products", _real, kind="opg")
_inferred("sandwich", _real, kind="sandwich", level=0.9)
_inferred("clusters", _real, kind="sandwich", clusters=np.arange(120) // 6)
_inferred("bootstrap", _real, kind="bootstrap", n_bootstrap=4, random_state=0)
_inferred("parametric bootstrap", _real, kind="parametric_bootstrap", n_bootstrap=4, random_state=0)
_inferred("student_t experts", partial(_real, "student_t"))
_inferred("constant gate", partial(_real, gate="constant"))
_inferred("gaussian gate", partial(_real, gate="gaussian"))
_inferred("classes", _class)


def _with(table: Any, moe: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    X, y = table()
    return moe.fit(X, y), X, y


_inferred("two outputs", partial(_with, outputs, MoERegressor(2, **QUICK)))
_inferred("tied", partial(_with, lines, MoERegressor(2, expert=GaussianExpert(tied=True), **QUICK)))
_inferred("tree", partial(_with, lines, HierarchicalMoERegressor((2,), **QUICK)), kind="sandwich")


@case("inference, row weights")
def inference_with_weights() -> Values:
    X, y = lines()
    w = weights(len(X))
    moe = MoERegressor(2, **QUICK).fit(X, y, w)
    return frame("table", inference(moe, X, y, sample_weight=w, kind="sandwich").table)


@case("inference, functions of the parameters")
def delta_method() -> Values:
    moe, X, y = _real()
    found = moe.inference(X, y)
    return (
        frame("of parameters", found.delta(lambda p: p.to_numpy()[:2] ** 2))
        | frame("of the estimator", found.delta(lambda m: m.predict(X[:4]), of="estimator"))
        | {"order_of": order_of(moe.experts_, "intercept")}
    )


# ------------------------------------------------------------------------- selection and scores


@case("select")
def selection() -> Values:
    X, y = lines(80)
    found = select(
        X,
        y,
        estimator=MoERegressor(n_init=2, random_state=0),
        n_experts=[1, 2],
        experts=["gaussian", "laplace"],
        gates=["softmax", "constant"],
    )
    return frame("table", found.table) | {"best": found.best_index_}


@case("select by held-out rows")
def selection_by_folds() -> Values:
    X, y = lines(80)
    moe = MoERegressor(n_init=2, random_state=0)
    found = select(X, y, estimator=moe, n_experts=[1, 2], criterion="log_score", cv=3)
    return frame("table", found.table) | {"best": found.best_index_}


@case("likelihood-ratio test")
def likelihood_ratio() -> Values:
    X, y = lines(60)
    moe = MoERegressor(n_init=2, random_state=0)
    found = bootstrap_lrt(X, y, estimator=moe, n_bootstrap=3, random_state=0)
    return {"statistic": found.statistic, "p": found.p_value, "null": found.null}


@case("scorers")
def scorers() -> Values:
    moe, X, y = _real()
    out: Values = {}
    for name in metrics.get_scorer_names():
        out[name] = metrics.get_scorer(name)(moe, X, y, sample_weight=weights(len(X)))
    return out


@case("scores")
def scores() -> Values:
    moe, X, y = _real("student_t")
    interval = moe.predict_interval(X)
    pit = metrics.pit_values(moe, X, y)
    return {
        "crps_samples": metrics.crps_samples(moe, X, y),
        "pit_values": pit,
        "pit_error": metrics.pit_error(pit),
        "interval": [
            metrics.interval_coverage(y, interval),
            metrics.interval_score(y, interval, coverage=0.9),
            metrics.interval_width(interval),
        ],
    }


@case("crps of given mixtures", closed=True)
def crps_of_given_mixtures() -> Values:
    rng = np.random.RandomState(5)
    y, location = rng.uniform(-3.0, 3.0, 6).round(6), rng.uniform(-2.0, 2.0, (6, 3)).round(6)
    share = np.tile([0.5, 0.3, 0.2], (6, 1))
    scale = np.tile([0.5, 1.0, 2.0], (6, 1))
    out: Values = {
        family: metrics.crps_mixture(y, share, location, scale, family=family)
        for family in ("gaussian", "laplace")
    }
    robust = metrics.crps_mixture(y, share, location, scale, family="student_t", df=4.0)
    return out | {"student_t": robust}


# ------------------------------------------------------------------------- datasets, export


#: Sizes that keep a generator small; one that is not listed is called with its seed alone.
_SIZES: dict[str, dict[str, int]] = {
    "make_counts": {"n_samples": 60},
    "make_inverse_sine": {"n_samples": 50},
    "make_moe": {"n_samples": 50},
    "make_policies": {"n_samples": 60},
    "make_piecewise_linear": {"n_samples": 50},
    "make_robot_arm": {"n_train": 40, "n_test": 20},
    "make_speakers": {"n_samples": 60},
}


@case("datasets", closed=True)
def generators() -> Values:
    out: Values = {}
    for name in datasets.__all__:
        options = _SIZES.get(name, {}) | {"random_state": 0}
        if name.startswith("load_") or name == "make_vowels":
            options = {"return_X_y": True} | ({} if name.startswith("load_") else options)
            options.pop("n_samples", None)
        for place, array in enumerate(getattr(datasets, name)(**options)):
            out[f"{name} {place}"] = array
    return out


def _drawn(expert: str, gate: Any, **options: Any) -> Values:
    options = {"n_samples": 40, "n_features": 2, "random_state": 1} | options
    X, y, truth = datasets.make_moe(expert=expert, gate=gate, return_params=True, **options)
    return {"X": X, "y": y, "coef": np.concatenate([np.ravel(e.coef_) for e in truth.experts_])}


for _family, _expert in EXPERTS.items():
    if not issubclass(_expert, LinearExpert):
        continue
    _labels = {"n_classes": 2} if _expert.target == "class" else {}
    add(f"make_moe, {_family}", partial(_drawn, _family, "softmax", **_labels), closed=True)
for _gate in GATES:
    _kind: Any = TreeGate((2, 2)) if _gate == "tree" else _gate
    add(f"make_moe, {_gate} gate", partial(_drawn, "gaussian", _kind, n_experts=4), closed=True)


def _graph(make: Any) -> Values:
    from onnx import numpy_helper

    graph = to_onnx(make()[0], dtype=np.float64).graph
    constants = [numpy_helper.to_array(a) for a in graph.initializer]
    numbers = [np.ravel(a).astype(float) for a in constants if a.dtype.kind in "fiu"]
    ops = " ".join(n.op_type for n in graph.node)
    return {"operations": ops, "constants": np.concatenate([np.zeros(0), *numbers])}


add("graph, regression", partial(_graph, _real), needs=("onnx",))
add("graph, gaussian gate", partial(_graph, partial(_real, gate="gaussian")), needs=("onnx",))
add("graph, classes", partial(_graph, _class), needs=("onnx",))
