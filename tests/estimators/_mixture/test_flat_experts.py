"""Unlike experts side by side, and arguments that a fit cannot use."""

import numpy as np
import pytest

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.experts import GaussianExpert, LaplaceExpert, StudentTExpert
from moe_classic.gates import GaussianGate, SoftmaxGate

from .models import regressor


@pytest.mark.parametrize("expert", ["multinomial", "gaussian"])
def test_softmax_gate_by_name_has_the_penalty_that_its_experts_call_for(real, classes, expert):
    estimator, (X, y), alpha = {
        "multinomial": (MoEClassifier, classes, 1e-4),
        "gaussian": (MoERegressor, real, 1e-6),
    }[expert]
    gates = ("softmax", SoftmaxGate(alpha=alpha), SoftmaxGate(alpha=1e-2))
    options = {"n_init": 2, "random_state": 0}
    named, made, other = (estimator(2, gate=g, **options).fit(X, y) for g in gates)
    np.testing.assert_array_equal(named.gate_.coef_, made.gate_.coef_)
    assert not np.allclose(named.gate_.coef_, other.gate_.coef_, rtol=1e-3)


def test_unlike_experts_keep_their_names_and_order(real):
    experts = [("a", LaplaceExpert()), ("b", "gaussian"), ("c", StudentTExpert(df=3.0))]
    model = regressor(3, expert=experts).fit(*real)
    assert [e.label for e in model.experts_] == ["a", "b", "c"]
    assert [e.name for e in model.experts_] == ["laplace", "gaussian", "student_t"]
    assert model.experts_[2].df_ == 3.0


def test_experts_in_a_list_may_go_by_their_own_names(real):
    model = regressor(expert=["laplace", "gaussian"]).fit(*real)
    assert [e.label for e in model.experts_] == ["laplace", "gaussian"]


def test_like_experts_in_a_list_reach_the_optimum_of_a_group(tone):
    X, y = tone
    listed = regressor(expert=[("a", "gaussian"), ("b", "gaussian")], n_init=10).fit(X, y)
    grouped = regressor(expert="gaussian", n_init=10).fit(X, y)
    # tol is 1e-6 nats a row
    assert listed.log_likelihood_ == pytest.approx(grouped.log_likelihood_, abs=1e-3)


def test_wild_expert_takes_the_outliers():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (200, 1))
    y = 2 * X[:, 0] + 0.1 * rng.standard_normal(200)
    y[:20] = rng.uniform(-10, 10, 20)
    experts = [("line", "gaussian"), ("outliers", GaussianExpert(features=[]))]
    model = regressor(expert=experts, gate="constant", n_init=6).fit(X, y)
    # a tenth of the rows, known to some .02; slope to .1 / sqrt(180 / 3)
    assert model.experts_[1].weight_ == pytest.approx(0.1, abs=0.03)
    assert model.experts_[0].coef_[0] == pytest.approx(2.0, abs=0.06)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"expert": [("a", "gaussian")]}, ValueError, "lists 1 experts but n_experts=2"),
        ({"expert": [("a", "gaussian"), ("a", "laplace")]}, ValueError, "a.*a"),
        ({"expert": ["gaussian", SoftmaxGate()]}, TypeError, r"expert=SoftmaxGate\(\) must be one"),
        ({"expert": [("a", "gaussian"), ("b", "logistic")]}, ValueError, "logistic.*real"),
        ({"expert": [("gate", "gaussian"), ("b", "laplace")]}, ValueError, "gate"),
        ({"expert": [("a__b", "gaussian"), ("c", "laplace")]}, ValueError, "a__b"),
        ({"expert": "cauchy"}, ValueError, "expert='cauchy' is not known; choose one of"),
        ({"expert": GaussianExpert}, TypeError, r"Write GaussianExpert\(\) with parentheses"),
        ({"expert": None}, TypeError, "expert=None must be one of"),
        ({"expert": SoftmaxGate()}, TypeError, r"expert=SoftmaxGate\(\) must be one of"),
        ({"gate": "hard"}, ValueError, "gate='hard' is not known; choose one of"),
        ({"gate": GaussianExpert()}, TypeError, r"gate=GaussianExpert\(\) must be one of"),
        ({"solver": "bfgs"}, ValueError, "solver='bfgs' is not known; choose one of"),
        ({"expert": GaussianExpert(alpha=-1.0)}, ValueError, r"alpha=-1\.0 must be"),
        ({"expert": GaussianExpert(min_scale=0.0)}, ValueError, r"min_scale=0\.0 must"),
        ({"expert": GaussianExpert(covariance_type="x")}, ValueError, "covariance_type='x'"),
        ({"expert": StudentTExpert(df=0.0)}, ValueError, r"df=0\.0 must be > 0"),
        ({"expert": StudentTExpert(df_bounds=(3, 1))}, ValueError, r"df_bounds=\(3, 1\) must"),
        ({"gate": SoftmaxGate(alpha=np.inf)}, ValueError, "alpha=inf must be"),
        ({"gate": GaussianGate(reg_covar=-1)}, ValueError, "reg_covar=-1 must be"),
        ({"gate": GaussianGate(covariance_type="x")}, ValueError, "covariance_type='x'"),
        ({"n_experts": 0}, ValueError, "n_experts=0 must be an integer >= 1"),
        ({"n_experts": 2.0}, ValueError, r"n_experts=2\.0 must be an integer >= 1"),
        ({"n_experts": "two"}, TypeError, "n_experts='two' must be an integer >= 1"),
        ({"n_init": 0}, ValueError, "n_init=0 must be an integer >= 1"),
        ({"max_iter": 0}, ValueError, "max_iter=0 must be an integer >= 1"),
        ({"tol": -1.0}, ValueError, r"tol=-1\.0 must be a finite number >= 0"),
        ({"tol": "small"}, TypeError, "tol='small' must be a finite number"),
        ({"block_size": 0}, ValueError, "block_size=0 must be an integer >= 1"),
        ({"standardize": "yes"}, TypeError, "standardize='yes' must be True or False"),
        ({"warm_start": 1}, TypeError, "warm_start=1 must be True or False"),
        ({"verbose": -1}, ValueError, "verbose=-1 must be an integer >= 0"),
        ({"verbose": "loud"}, TypeError, "verbose='loud' must be an integer >= 0"),
        ({"init": "random"}, ValueError, "init='random' is not known; choose one of"),
        ({"init": np.ones(5)}, ValueError, "init must be one of .* got ndarray with 1 dim"),
        ({"init": np.ones((5, 2)), "n_init": 1}, ValueError, r"init has shape \(5, 2\)"),
        ({"init": np.ones((150, 2)), "n_init": 3}, ValueError, "n_init=3 has no meaning"),
        ({"init": np.zeros((150, 2)), "n_init": 1}, ValueError, "init must be finite, not neg"),
        ({"init": -np.ones((150, 2)), "n_init": 1}, ValueError, "init must be finite, not neg"),
        ({"random_state": "seed"}, ValueError, "'seed' cannot be used to seed"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_fit_names_the_argument_it_cannot_use(real, options, error, message):
    with pytest.raises(error, match=message):
        regressor(**options).fit(*real)
