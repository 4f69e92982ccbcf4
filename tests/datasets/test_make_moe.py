"""Rows from a known mixture: they follow the parameters that come with them."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import log_softmax, logsumexp
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.experts import (
    EXPERTS,
    GaussianExpert,
    LinearExpert,
    MultinomialExpert,
    StudentTExpert,
)
from moe_classic.gates import GATES, ConstantGate, GaussianGate, SoftmaxGate

REAL = sorted(
    name for name, cls in EXPERTS.items() if cls.target == "real" and issubclass(cls, LinearExpert)
)
CLASS = sorted(name for name, cls in EXPERTS.items() if cls.target == "class")


class SkewT(stats.rv_continuous):
    """Azzalini & Capitanio (2003), slant 3 and four degrees of freedom."""

    def _logpdf(self, z):
        tail = stats.t.logcdf(3.0 * z * np.sqrt(5.0 / (4.0 + z**2)), 5.0)
        return np.log(2.0) + stats.t.logpdf(z, 4.0) + tail

    def _pdf(self, z):
        return np.exp(self._logpdf(z))

    def _cdf(self, z):
        grid = np.sinh(np.linspace(-9.0, 9.0, 40_001))
        density = self._pdf(grid)
        steps = 0.5 * np.diff(grid) * (density[1:] + density[:-1])
        return np.interp(z, grid, np.r_[0.0, np.cumsum(steps)])


NOISE = {
    "gaussian": stats.norm,
    "laplace": stats.laplace,
    "skew_normal": stats.skewnorm(3.0),
    "skew_t": SkewT(),
    "student_t": stats.t(4.0),
}

every_gate = pytest.mark.parametrize("gate", ["constant", "gaussian", "softmax"])
every_real = pytest.mark.parametrize("expert", REAL)
every_class = pytest.mark.parametrize("expert", CLASS)


def locations(truth, X):
    """Lines of all experts at X, (n, K)."""
    return np.column_stack([X @ e.coef_ + e.intercept_ for e in truth.experts_])


def class_logits(truth, X):
    """Logits of all classes under all experts, (n, K, C); the last class is the reference."""
    parts = []
    for e in truth.experts_:
        eta = X @ np.atleast_2d(e.coef_).T + np.atleast_1d(e.intercept_)
        parts.append(np.column_stack([eta, np.zeros(len(X))]))
    return np.stack(parts, axis=1)


def log_gate_of(truth, X):
    """Log gate from the parameters as written down, (n, K)."""
    gate = truth.gate_
    if gate.name == "softmax":
        return log_softmax(X @ gate.coef_.T + gate.intercept_, axis=1)
    joint = np.log(gate.weights_) + np.zeros((len(X), 1))
    if gate.name == "gaussian":
        densities = [
            stats.multivariate_normal(m, C).logpdf(X)
            for m, C in zip(gate.means_, gate.covariances_, strict=True)
        ]
        joint = joint + np.column_stack(densities)
    return joint - logsumexp(joint, axis=1, keepdims=True)


# ------------------------------------------------------------------------- shape and seed


def test_generator_knows_every_registered_expert_and_gate():
    assert set(REAL) == set(NOISE)
    assert {*REAL, *CLASS} < set(EXPERTS)
    for expert in (name for name, cls in EXPERTS.items() if issubclass(cls, LinearExpert)):
        for gate in GATES:
            X, y, truth = make_moe(20, expert=expert, gate=gate, return_params=True, random_state=0)
            assert X.shape == (20, 1)
            assert y.shape == truth.z.shape == truth.log_density.shape == (20,)
            assert (truth.experts_[0].name, truth.gate_.name) == (expert, gate)


@pytest.mark.parametrize("arguments", [{}, {"expert": "multinomial"}, {"gate": "gaussian"}])
def test_generator_repeats_its_rows_for_the_same_seed_only(arguments):
    first, again = (make_moe(50, random_state=3, **arguments) for _ in range(2))
    other = make_moe(50, random_state=4, **arguments)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_generator_advances_a_random_state_instance():
    state = np.random.RandomState(0)
    assert not np.array_equal(make_moe(random_state=state)[0], make_moe(random_state=state)[0])


@every_gate
def test_truth_does_not_depend_on_the_number_of_rows(gate):
    options = {"n_experts": 3, "n_features": 2, "gate": gate, "random_state": 5}
    small, large = (make_moe(n, return_params=True, **options)[2] for n in (10, 1000))
    part = ["expert", "gate"]
    np.testing.assert_array_equal(small.summary().loc[part], large.summary().loc[part])


def test_classes_count_from_zero_and_all_occur():
    _, y = make_moe(1000, expert="multinomial", n_classes=4, random_state=0)
    assert y.dtype.kind == "i"
    np.testing.assert_array_equal(np.unique(y), np.arange(4))


def test_several_outputs_have_one_column_each():
    X, y = make_moe(30, n_outputs=3, n_features=2, random_state=0)
    assert X.shape == (30, 2)
    assert y.shape == (30, 3)


@pytest.mark.parametrize(
    ("estimator", "options"),
    [
        (MoERegressor, {}),
        (MoERegressor, {"n_outputs": 2, "gate": "gaussian"}),
        (MoERegressor, {"expert": "student_t", "gate": "constant"}),
        (MoEClassifier, {"expert": "logistic"}),
        (MoEClassifier, {"expert": "multinomial", "n_classes": 3}),
    ],
)
def test_summary_has_the_rows_and_columns_of_an_estimators_summary(estimator, options):
    X, y, truth = make_moe(200, n_features=2, random_state=1, return_params=True, **options)
    model = {k: v for k, v in options.items() if k in ("expert", "gate")}
    fitted = estimator(2, n_init=1, random_state=0, **model).fit(X, y).summary()
    assert truth.summary().index.equals(fitted.index)
    # A fit may have a note, where its data separate classes.
    assert list(truth.summary().columns) == [c for c in fitted.columns if c != "note"]


# ------------------------------------------------------------------------- rows follow the truth


@every_gate
def test_gate_proba_is_the_gate_that_is_written_down(gate):
    options = {"n_experts": 3, "n_features": 2, "random_state": 2, "return_params": True}
    X, _, truth = make_moe(300, gate=gate, **options)
    # rounding of exponentials
    np.testing.assert_allclose(truth.gate_proba, np.exp(log_gate_of(truth, X)), atol=1e-12)


@every_gate
def test_experts_draw_rows_as_often_as_the_gate_says(gate):
    options = {"n_experts": 3, "n_features": 2, "random_state": 2, "return_params": True}
    _, _, truth = make_moe(20_000, gate=gate, weights=[1, 2, 3], **options)
    drawn = truth.z[:, None] == np.arange(3)
    spread = np.sqrt((truth.gate_proba * (1 - truth.gate_proba)).sum(axis=0))
    # Bernoulli sums: four standard deviations
    assert (np.abs((drawn - truth.gate_proba).sum(axis=0)) < 4 * spread + 1e-9).all()
    np.testing.assert_allclose([e.weight_ for e in truth.experts_], drawn.mean(axis=0))


@every_real
def test_noise_has_the_distribution_of_the_expert_that_drew_the_row(expert):
    X, y, truth = make_moe(
        6000, n_experts=3, expert=expert, noise=[0.1, 0.5, 2.0], random_state=0, return_params=True
    )
    z = truth.z
    scale = np.array([e.scale_ for e in truth.experts_])
    np.testing.assert_array_equal(scale, [0.1, 0.5, 2.0])
    noise = (y - locations(truth, X)[np.arange(6000), z]) / scale[z]
    assert stats.kstest(noise, NOISE[expert].cdf).pvalue > 0.01


@every_class
def test_classes_are_drawn_with_the_probabilities_of_the_expert(expert):
    n_classes = 2 if expert == "logistic" else 4
    X, y, truth = make_moe(
        8000, n_experts=2, expert=expert, n_classes=n_classes, random_state=0, return_params=True
    )
    proba = np.exp(log_softmax(class_logits(truth, X)[np.arange(8000), truth.z], axis=1))
    gap = ((y[:, None] == np.arange(n_classes)) - proba).sum(axis=0)
    # Bernoulli sums: four standard deviations
    assert (np.abs(gap) < 4 * np.sqrt((proba * (1 - proba)).sum(axis=0))).all()
    # and where a class is likely, it is drawn
    assert proba[np.arange(8000), y].mean() == pytest.approx(
        (proba**2).sum(axis=1).mean(), abs=0.02
    )


@every_real
def test_log_density_is_the_mixture_of_the_experts_densities(expert):
    X, y, truth = make_moe(200, n_experts=3, expert=expert, random_state=1, return_params=True)
    scale = np.array([e.scale_ for e in truth.experts_])
    log_p = NOISE[expert].logpdf((y[:, None] - locations(truth, X)) / scale) - np.log(scale)
    expected = logsumexp(log_gate_of(truth, X) + log_p, axis=1)
    # rounding
    np.testing.assert_allclose(truth.log_density, expected, rtol=0, atol=1e-10)


@every_class
def test_log_density_of_classes_is_the_mixture_of_their_probabilities(expert):
    X, y, truth = make_moe(200, n_experts=3, expert=expert, random_state=1, return_params=True)
    log_p = log_softmax(class_logits(truth, X), axis=2)[np.arange(200), :, y]
    expected = logsumexp(log_gate_of(truth, X) + log_p, axis=1)
    np.testing.assert_allclose(truth.log_density, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "tied"])
def test_features_have_the_moments_of_the_gaussian_gate(covariance_type):
    X, _, truth = make_moe(
        40_000,
        n_experts=2,
        n_features=3,
        gate=GaussianGate(covariance_type=covariance_type),
        random_state=0,
        return_params=True,
    )
    gate, C = truth.gate_, truth.gate_.covariances_
    for k in range(2):
        mine = X[truth.z == k]
        error = np.sqrt(np.diagonal(C[k]) / len(mine))
        assert (np.abs(mine.mean(axis=0) - gate.means_[k]) < 4 * error).all()
        # 20,000 rows: relative standard error of a variance 1 %, four of them
        np.testing.assert_allclose(np.cov(mine.T), C[k], atol=0.04 * np.diagonal(C[k]).max())
    diagonal = np.allclose(C[0], np.diag(np.diagonal(C[0])))
    assert diagonal == (covariance_type == "diag")
    assert np.array_equal(C[0], C[1]) == (covariance_type == "tied")


def test_features_that_a_gaussian_gate_does_not_see_are_uniform():
    X, _, truth = make_moe(
        5000, n_features=2, gate=GaussianGate(features=[1]), random_state=0, return_params=True
    )
    assert truth.gate_.means_.shape == (2, 1)
    assert stats.kstest(X[:, 0], stats.uniform(-1, 2).cdf).pvalue > 0.01
    assert np.abs(X[:, 1]).max() > 1.0


def test_estimator_recovers_the_truth_from_many_rows():
    X, y, truth = make_moe(4000, n_experts=2, random_state=1, return_params=True)
    model = MoERegressor(2, random_state=0).fit(X, y)
    # The optimum is above the truth, by about half a nat a parameter (8 of them).
    gain = model.log_likelihood_ - truth.log_density.sum()
    assert 0.0 < gain < 12.0
    order = np.argsort([e.coef_[0] for e in model.experts_])
    for k, e in zip(order, sorted(truth.experts_, key=lambda e: e.coef_[0]), strict=True):
        # standard errors are near .3 / sqrt(2000 / 3) = .012 for slopes
        assert model.experts_[k].coef_[0] == pytest.approx(e.coef_[0], abs=0.05)
        assert model.experts_[k].scale_ == pytest.approx(e.scale_, abs=0.02)


# ------------------------------------------------------------------------- controls


@pytest.mark.parametrize("separation", [0.0, 0.5, 4.0])
def test_separation_is_the_distance_of_the_lines(separation):
    _, _, truth = make_moe(
        5, n_experts=4, n_features=2, separation=separation, random_state=0, return_params=True
    )
    X = np.random.default_rng(1).uniform(-1, 1, (20_000, 2))
    lines = locations(truth, X)
    pairs = (lines[:, :, None] - lines[:, None, :])[:, *np.triu_indices(4, 1)]
    # measured inside on 800 rows: a relative error of some 3 %
    assert np.sqrt(np.square(pairs).mean()) == pytest.approx(separation, rel=0.1)


def test_separation_of_classes_is_the_distance_of_their_logits():
    options = {"expert": "multinomial", "n_experts": 3, "n_classes": 3, "random_state": 0}
    _, _, truth = make_moe(5, separation=6.0, return_params=True, **options)
    X = np.random.default_rng(1).uniform(-1, 1, (20_000, 1))
    eta = class_logits(truth, X)[:, :, :-1]
    pairs = (eta[:, :, None] - eta[:, None])[:, *np.triu_indices(3, 1)]
    # measured inside on 600 rows: a relative error of some 3 %
    assert np.sqrt(np.square(pairs).mean()) == pytest.approx(6.0, rel=0.1)


@every_gate
def test_sharpness_makes_gates_decide(gate):
    if gate == "constant":
        with pytest.raises(ValueError, match="has no meaning"):
            make_moe(gate=gate, sharpness=3.0)
        return
    sure = []
    for sharpness in (0.1, 2.0, 50.0):
        options = {"n_experts": 3, "n_features": 2, "gate": gate, "random_state": 0}
        _, _, truth = make_moe(2000, sharpness=sharpness, return_params=True, **options)
        sure.append(truth.gate_proba.max(axis=1).mean())
    assert sure[0] < sure[1] < sure[2]
    assert sure[2] > 0.97


def test_sharpness_zero_leaves_the_gate_constant():
    _, _, truth = make_moe(100, sharpness=0.0, weights=[1, 3], random_state=0, return_params=True)
    np.testing.assert_allclose(truth.gate_proba, np.tile([0.25, 0.75], (100, 1)), atol=1e-12)


@pytest.mark.parametrize("gate", ["constant", "gaussian"])
def test_weights_are_the_proportions_of_the_gate(gate):
    _, _, truth = make_moe(10, gate=gate, weights=[1, 4], random_state=0, return_params=True)
    np.testing.assert_allclose(truth.gate_.weights_, [0.2, 0.8], atol=1e-15)


@pytest.mark.parametrize(
    ("expert", "correlated", "tied"),
    [
        (GaussianExpert(), True, False),
        (GaussianExpert(tied=True), True, True),
        (GaussianExpert(covariance_type="diag"), False, True),
        (GaussianExpert(covariance_type="spherical"), False, True),
    ],
    ids=str,
)
def test_noise_of_several_outputs_has_the_covariance_of_the_expert(expert, correlated, tied):
    X, y, truth = make_moe(
        20_000, n_outputs=2, expert=expert, noise=0.5, random_state=0, return_params=True
    )
    true = [e.extras.get("covariance_", 0.25 * np.eye(2)) for e in truth.experts_]
    for k, e in enumerate(truth.experts_):
        mine = truth.z == k
        residuals = y[mine] - X[mine] @ e.coef_.T - e.intercept_
        # 10,000 rows an expert: standard errors of .0035 around variances of .25
        np.testing.assert_allclose(np.cov(residuals.T), true[k], atol=0.014)
        np.testing.assert_allclose(np.diagonal(true[k]), 0.25, atol=1e-15)
    assert (true[0][0, 1] != 0.0) == correlated
    assert np.array_equal(true[0], true[1]) == tied


def test_student_t_draws_with_the_degrees_of_freedom_it_is_given():
    expert = StudentTExpert(df=1.5)
    X, y, truth = make_moe(5000, expert=expert, random_state=0, return_params=True)
    assert [e.df_ for e in truth.experts_] == [1.5, 1.5]
    noise = (y - locations(truth, X)[np.arange(5000), truth.z]) / 0.3
    assert stats.kstest(noise, stats.t(1.5).cdf).pvalue > 0.01


def test_components_see_the_features_they_name():
    expert, gate = GaussianExpert(features=[0, 2]), SoftmaxGate(features=[1])
    options = {"n_features": 3, "random_state": 0, "return_params": True}
    X, y, truth = make_moe(4000, expert=expert, gate=gate, noise=0.01, **options)
    assert truth.experts_[0].feature_names_ == ("x0", "x2")
    assert truth.gate_.coef_.shape == (2, 1)
    lines = np.column_stack([X[:, [0, 2]] @ e.coef_ + e.intercept_ for e in truth.experts_])
    miss = y - lines[np.arange(4000), truth.z]
    # five standard deviations of the noise
    assert np.abs(miss).max() < 0.05
    eta = X[:, [1]] @ truth.gate_.coef_.T + truth.gate_.intercept_
    np.testing.assert_allclose(truth.gate_proba, np.exp(log_softmax(eta, axis=1)), atol=1e-12)


def test_components_may_see_transformed_features():
    expert = GaussianExpert(features=PolynomialFeatures(2, include_bias=False))
    X, y, truth = make_moe(500, expert=expert, noise=0.01, random_state=0, return_params=True)
    lines = np.column_stack(
        [np.column_stack([X, X**2]) @ e.coef_ + e.intercept_ for e in truth.experts_]
    )
    assert np.abs(y - lines[np.arange(500), truth.z]).max() < 0.05


def test_unlike_experts_draw_each_in_their_own_way():
    experts = [("line", GaussianExpert(features=[0])), ("wild", StudentTExpert(df=1.0))]
    X, y, truth = make_moe(
        6000, expert=experts, n_features=2, noise=[0.1, 0.4], random_state=0, return_params=True
    )
    line, wild = truth.experts_
    assert (line.label, wild.label) == ("line", "wild")
    first = truth.z == 0
    calm = (y[first] - X[first, :1] @ line.coef_ - line.intercept_) / 0.1
    loud = (y[~first] - X[~first] @ wild.coef_ - wild.intercept_) / 0.4
    assert stats.kstest(calm, "norm").pvalue > 0.01
    assert stats.kstest(loud, stats.t(1.0).cdf).pvalue > 0.01


def test_single_expert_draws_all_rows():
    X, y, truth = make_moe(2000, n_experts=1, random_state=0, return_params=True)
    np.testing.assert_array_equal(truth.z, 0)
    np.testing.assert_array_equal(truth.gate_proba, 1.0)
    assert stats.kstest((y - locations(truth, X)[:, 0]) / 0.3, "norm").pvalue > 0.01


# ------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "n_samples=0 must be .* >= 1"),
        ({"n_experts": 2.0}, ValueError, "n_experts=.* must be an integer"),
        ({"n_features": 0}, ValueError, "n_features=.* must be .* >= 1"),
        ({"expert": "normal"}, ValueError, "expert='normal' is not known"),
        ({"expert": GaussianExpert}, TypeError, "with parentheses"),
        ({"expert": [("a", "gaussian")]}, ValueError, "lists 1 experts but n_experts=2"),
        ({"expert": LinearRegression()}, ValueError, "needs `draw`"),
        ({"expert": []}, ValueError, "must name experts for one kind of target"),
        (
            {"expert": [("a", "gaussian"), ("b", "logistic")]},
            ValueError,
            "must name experts for one kind of target",
        ),
        ({"gate": "hard"}, ValueError, "gate='hard' is not known"),
        ({"n_outputs": 0}, ValueError, "n_outputs=.* must be .* >= 1"),
        ({"n_outputs": 2, "expert": "laplace"}, ValueError, "LaplaceExpert describes one output"),
        ({"n_outputs": 2, "expert": "logistic"}, ValueError, "n_outputs=2 has no meaning"),
        ({"n_classes": 2}, ValueError, "n_classes=2 has no meaning"),
        ({"n_classes": 1, "expert": "logistic"}, ValueError, "n_classes=.* must be .* >= 2"),
        ({"n_classes": 3, "expert": "logistic"}, ValueError, "LogisticExpert describes two"),
        ({"separation": -1}, ValueError, "separation=.* must be .* >= 0"),
        ({"separation": 1, "n_experts": 1}, ValueError, "separation=1 has no meaning"),
        ({"sharpness": -1}, ValueError, "sharpness=.* must be .* >= 0"),
        ({"sharpness": 1, "n_experts": 1}, ValueError, "sharpness=1 has no meaning"),
        ({"sharpness": 1, "gate": SoftmaxGate(features=[])}, ValueError, "has no meaning"),
        ({"sharpness": 1, "gate": ConstantGate()}, ValueError, "sharpness=1 has no meaning"),
        ({"sharpness": 0, "gate": "gaussian"}, ValueError, "sharpness=0 has no Gaussian gate"),
        ({"noise": 0}, ValueError, "noise must be finite and > 0, got 0"),
        ({"noise": [0.1, 0.2, 0.3]}, ValueError, "one number for each of the n_experts=2 experts"),
        ({"noise": 0.1, "expert": "multinomial"}, ValueError, "noise=0.1 has no meaning"),
        (
            {"noise": [0.1, 0.2], "expert": GaussianExpert(tied=True)},
            ValueError,
            "differs between experts",
        ),
        ({"weights": [1, -1]}, ValueError, "weights must be finite and > 0"),
        ({"weights": 1.0}, ValueError, "weights must be one number for each"),
        (
            {"gate": GaussianGate(features=PolynomialFeatures(2))},
            ValueError,
            "features must be None or columns",
        ),
        ({"gate": SoftmaxGate(features=[1])}, ValueError, "not a column of X"),
        ({"expert": MultinomialExpert(alpha=-1)}, ValueError, "alpha=-1 must be"),
        ({"random_state": "seed"}, ValueError, "'seed' cannot be used to seed"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_generator_names_the_argument_it_cannot_use(arguments, error, message):
    with pytest.raises(error, match=message):
        make_moe(**arguments)
