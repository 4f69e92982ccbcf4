"""Every display with every estimator: it draws, or says in one sentence why it cannot."""

import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from moe_classic import (
    BayesianMoEClassifier,
    BayesianMoERegressor,
    HardMoEClassifier,
    HardMoERegressor,
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MetaPiClassifier,
    MetaPiRegressor,
    MoEClassifier,
    MoERegressor,
    SparseMoEClassifier,
    SparseMoERegressor,
)
from moe_classic.inspection import (
    CalibrationDisplay,
    CoefficientDisplay,
    ConvergenceDisplay,
    ExpertsDisplay,
    FanDisplay,
    GateDisplay,
    PartitionDisplay,
    ResponsibilityDisplay,
    TreeDisplay,
)

LINE, ODDS = LinearRegression(), LogisticRegression()
QUICK = {"n_init": 1, "random_state": 0}
ROUNDS = {"max_iter": 2, "random_state": 0}
#: What can be drawn of any gate, of a likelihood, of a density, of a tree, of a trace.
GATE = {"gate", "experts", "partition"}
LIKELIHOOD = {"responsibility", "coefficient"}
DENSITY = {"calibration", "fan"}
TRACE = {"convergence"}
EVERYTHING = GATE | LIKELIHOOD | DENSITY | TRACE

REGRESSORS = {
    "mixture": (MoERegressor(2, **QUICK), EVERYTHING),
    "bayes": (BayesianMoERegressor(3, **QUICK), EVERYTHING),
    "tree": (HierarchicalMoERegressor((2,), **QUICK), EVERYTHING | {"tree"}),
    "meta-pi": (MetaPiRegressor(LINE, random_state=0), GATE | TRACE),
    "meta-pi, constant": (MetaPiRegressor(LINE, gate="constant"), GATE | TRACE),
    "meta-pi, joint": (MetaPiRegressor(LINE, joint=True, random_state=0), GATE | TRACE),
    "hard": (HardMoERegressor(2, expert=LINE, **ROUNDS), GATE | TRACE),
    "hard, softmax": (HardMoERegressor(2, expert=LINE, gate="softmax", **ROUNDS), GATE | TRACE),
    "net": (SparseMoERegressor(3, mix="densities", **ROUNDS), GATE),
}
CLASSIFIERS = {
    "mixture": (MoEClassifier(2, **QUICK), EVERYTHING - DENSITY),
    "bayes": (BayesianMoEClassifier(3, **QUICK), EVERYTHING - DENSITY),
    "tree": (HierarchicalMoEClassifier((2,), **QUICK), EVERYTHING - DENSITY | {"tree"}),
    "meta-pi": (MetaPiClassifier(ODDS, random_state=0), GATE | TRACE),
    "hard": (HardMoEClassifier(2, expert=LinearSVC(), **ROUNDS), GATE | TRACE),
    "net": (SparseMoEClassifier(3, mix="densities", **ROUNDS), GATE),
}
SMALL = {"n_points": 8}


def draw(name, estimator, X, y, target):
    """The display of a name, quickly."""
    displays = {
        "gate": lambda: GateDisplay.from_estimator(estimator, X, feature="age", **SMALL),
        "experts": lambda: ExpertsDisplay.from_estimator(
            estimator, X, y, feature="age", target=target, **SMALL
        ),
        "partition": lambda: PartitionDisplay.from_estimator(
            estimator, X, y, features=("age", "income"), **SMALL
        ),
        "responsibility": lambda: ResponsibilityDisplay.from_estimator(estimator, X, y),
        "coefficient": lambda: CoefficientDisplay.from_estimator(estimator, X, y),
        "calibration": lambda: CalibrationDisplay.from_estimator(estimator, X, y),
        "fan": lambda: FanDisplay.from_estimator(estimator, X, y, feature="age", **SMALL),
        "convergence": lambda: ConvergenceDisplay.from_estimator(estimator),
        "tree": lambda: TreeDisplay.from_estimator(estimator),
    }
    return displays[name]()


NAMES = sorted(EVERYTHING | {"tree"})


@pytest.fixture(autouse=True)
def _figures():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def plane():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.uniform(-2.0, 2.0, (150, 2)), columns=["age", "income"])
    steep = rng.random(150) < 1.0 / (1.0 + np.exp(-2.0 * (X.age + X.income)))
    y = np.where(steep, 3.0 * X.age, X.income) + 0.3 * rng.standard_normal(150)
    return X, pd.Series(y, name="spending")


@pytest.fixture(scope="module")
def models(plane):
    """Every estimator, fitted once, with its target and the class to draw."""
    X, y = plane
    classes = np.array(["low", "middle", "high"])[np.digitize(y, [-0.7, 0.7])]
    models = {}
    with warnings.catch_warnings():
        # A few rounds are enough for a picture.
        warnings.simplefilter("ignore")
        for kind, group in (("real", REGRESSORS), ("class", CLASSIFIERS)):
            target = y if kind == "real" else classes
            for name, (estimator, _) in group.items():
                split = {"sources": X.age > 0.0} if hasattr(estimator, "experts") else {}
                fitted = estimator.fit(X, target, **split)
                models[kind, name] = fitted, target, None if kind == "real" else "low"
    return models


CASES = [("real", n) for n in REGRESSORS] + [("class", n) for n in CLASSIFIERS]


@pytest.mark.parametrize("display", NAMES)
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_display_draws_or_says_what_it_needs(plane, models, case, display):
    X, _ = plane
    estimator, y, target = models[case]
    possible = (REGRESSORS if case[0] == "real" else CLASSIFIERS)[case[1]][1]
    if display not in possible:
        with pytest.raises(
            TypeError, match=f"needs an estimator with .*{type(estimator).__name__}"
        ):
            draw(display, estimator, X, y, target)
        assert not plt.get_fignums()
        return
    drawn = draw(display, estimator, X, y, target)
    assert drawn.ax_.figure is drawn.figure_
    if display != "tree":
        assert drawn.ax_.get_xlabel()
        assert drawn.ax_.get_ylabel() or display == "coefficient"
    drawn.figure_.canvas.draw()


@pytest.mark.parametrize("case", CASES, ids=" ".join)
@pytest.mark.parametrize("display", [GateDisplay, ExpertsDisplay])
def test_feature_to_vary_is_asked_for(plane, models, case, display):
    estimator, _, target = models[case]
    more = {"target": target} if display is ExpertsDisplay else {}
    with pytest.raises(ValueError, match=r"one feature is varied .*such as feature='age'"):
        display.from_estimator(estimator, plane[0], **more)


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_line_of_the_mixture_is_what_it_predicts(plane, models, case):
    X, _ = plane
    estimator, y, target = models[case]
    drawn = draw("experts", estimator, X, y, target)
    rows = pd.DataFrame({"age": drawn.values, "income": X.income.median()})
    if case[0] == "real":
        expected = estimator.predict(rows)
    else:
        place = list(estimator.classes_).index(target)
        method = "decision_function" if case[1] == "hard" else "predict_proba"
        expected = getattr(estimator, method)(rows)[:, place]
    np.testing.assert_allclose(drawn.mixture, expected, rtol=1e-9, atol=1e-9)


def test_rounds_of_a_hard_mixture_are_drawn_and_the_kept_one_is_ringed(models):
    moe, _, _ = models["real", "hard"]
    drawn = ConvergenceDisplay.from_estimator(moe)
    learned, held = drawn.ax_.get_lines()
    np.testing.assert_array_equal(learned.get_ydata(), moe.history_.loss)
    np.testing.assert_array_equal(held.get_ydata(), moe.history_.validation_loss)
    ring = drawn.ax_.collections[0].get_offsets()[0]
    np.testing.assert_allclose(ring, [moe.best_round_, moe.loss_])
    for kind, reason in (("gap", "rounds need not"), ("starts", "a single start")):
        with pytest.raises(ValueError, match=reason):
            drawn.plot(kind=kind)


def test_steps_of_a_blending_gate_are_drawn(models):
    blend, _, _ = models["real", "meta-pi"]
    drawn = ConvergenceDisplay.from_estimator(blend)
    np.testing.assert_array_equal(drawn.ax_.get_lines()[0].get_ydata(), blend.trace_)
    assert drawn.ax_.get_ylabel() == "loss over the variance of the target"
    gap = drawn.plot(kind="gap").ax_
    assert gap.get_yscale() == "log"
    assert gap.get_ylabel().endswith("still to lose")


def test_weights_of_a_linear_gate_are_not_squeezed_into_the_unit_interval(plane, models):
    X, _ = plane
    moe, _, _ = models["real", "hard"]
    drawn = GateDisplay.from_estimator(moe, X, feature="age")
    low, high = drawn.ax_.get_ylim()
    assert low < drawn.gate.min()
    assert high > drawn.gate.max()
    assert drawn.ax_.get_ylabel() == "gate weight"
    with pytest.raises(ValueError, match="kind='stacked' needs weights that sum to one"):
        drawn.plot(kind="stacked")


def test_blend_far_from_its_experts_does_not_squeeze_them():
    shown = ExpertsDisplay(
        values=np.arange(3.0),
        predictions=np.array([[0.0, 1.0]] * 3),
        gate=np.array([[0.5, 0.5], [200.0, -150.0], [0.5, 0.5]]),
        mixture=np.array([0.5, -150.0, 0.5]),
        labels=["a", "b"],
        feature_label="x",
    ).plot()
    assert shown.ax_.get_ylim() == pytest.approx((-1.08, 1.08))


def test_margin_of_the_first_of_two_classes_is_refused(plane):
    X, y = plane
    scaled = make_pipeline(StandardScaler(), LinearSVC())
    moe = HardMoEClassifier(2, expert=scaled, **ROUNDS).fit(X, y > 0.0)
    drawn = ExpertsDisplay.from_estimator(moe, X, y > 0.0, feature="age")
    assert drawn.ax_.get_ylabel() == "margin of True"
    assert set(drawn.points[1]) == {-1.0, 1.0}
    with pytest.raises(ValueError, match="only the second"):
        ExpertsDisplay.from_estimator(moe, X, feature="age", target=False)
