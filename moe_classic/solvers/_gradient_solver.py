"""The objective that a gradient solver climbs, and the noise around an error's solution."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from moe_classic._arguments import check_choice
from moe_classic._components import require
from moe_classic._model import Model, MoEParams
from moe_classic._objectives import ERRORS, MixtureLikelihood, has_outputs
from moe_classic._typing import Floats, Ints

from ._base import Limits, Problem, Result, Solver

#: Most passes that fit the noise, and the coordinates' slope per unit of weight that ends them.
_PASSES = 100
_LEVEL = 1e-9


class GradientSolver(Solver):
    """A gradient solver, which climbs the log-likelihood or comes down an error function.

    Attributes
    ----------
    smooth : whether it needs gradients without jumps.
    """

    smooth: ClassVar[bool]
    error: str

    @property
    def objective_name(self) -> str:
        """The log-likelihood, or minus an error function."""
        return self.error

    def with_objective(self, problem: Problem) -> Problem:
        """The problem with the objective that is climbed."""
        if self.error == "likelihood":
            return problem
        return replace(problem, objective=ERRORS[self.error](problem.model))

    def check(self) -> None:
        """Raise unless the error function is known."""
        check_choice(self, "error", ("likelihood", *ERRORS))

    def check_model(self, model: Model) -> None:
        """Raise if a component has no gradient, or no output to compare."""
        check_gradient(self, model)

    def climb(self, problem: Problem, params: MoEParams, limits: Limits) -> Result:
        """Climb what is posed, then fit the noise that an error function says nothing of."""
        return with_noise(
            problem, self.ascend(self.with_objective(problem), params, limits), self.error
        )

    @abstractmethod
    def ascend(self, problem: Problem, params: MoEParams, limits: Limits) -> Result:
        """Climb the objective of ``problem``."""


def check_gradient(solver: GradientSolver, model: Model) -> None:
    """Raise if a component lacks the gradient that the solver's objective needs."""
    needs = {"who": f"solver={solver.name!r}", "instead": "Use solver='em'."}
    require([model.gate], ("gradient",), **needs)
    if solver.error == "likelihood":
        asked = ("derivatives", "gradient_from", *(("smooth",) if solver.smooth else ()))
        require([g.expert for g in model.groups], asked, **needs)
        return
    if model.gate.generative:
        raise ValueError(
            f"{type(solver).__name__}: error={solver.error!r} says nothing of x, which "
            f"{model.gate.name!r} gates describe as well. Use gate='softmax', or "
            "error='likelihood'."
        )
    for group in model.groups:
        if not has_outputs(group):
            raise ValueError(
                f"{type(solver).__name__}: error={solver.error!r} compares the outputs of experts "
                f"with the target; {group.expert.name!r} experts have none that are linear in "
                "their coefficients. Use error='likelihood'."
            )


def with_noise(problem: Problem, result: Result, error: str) -> Result:
    """The result with scales that maximise the likelihood, gate and locations held.

    An error function says nothing of the noise; densities and intervals need it all the same.
    """
    if error == "likelihood":
        return result
    params, passes = fit_noise(problem, result.params)
    return replace(result, params=params, n_iter=result.n_iter + passes)


def fit_noise(problem: Problem, params: MoEParams) -> tuple[MoEParams, int]:
    """Parameters with the likeliest nuisance parameters, and the passes taken."""
    model, summary = problem.model, problem.summary
    places = _noise_places(model, params)
    if not places.size:
        return params, 0
    likelihood = replace(problem, objective=MixtureLikelihood(model))
    theta = model.pack(params)

    def moved(x: Floats) -> MoEParams:
        full = theta.copy()
        full[places] = x
        return model.unpack(full, params, summary)

    def loss(x: Floats) -> tuple[float, Floats]:
        new = moved(x)
        value, slope = likelihood.slope(new)
        # Beyond a bound, such as the floor of a scale, the likelihood is flat.
        inside = np.abs(model.pack(new)[places] - x) <= 1e-9 * (1.0 + np.abs(x))
        return -value / summary.weight, np.where(inside, -slope[places], 0.0) / summary.weight

    found = minimize(
        loss,
        theta[places],
        jac=True,
        method="L-BFGS-B",
        options={"maxfun": _PASSES, "gtol": _LEVEL, "ftol": 1e-14},
    )
    return moved(found.x), int(found.nfev)


def _noise_places(model: Model, params: MoEParams) -> Ints:
    """Places in theta of all parameters of experts besides their coefficients."""
    places = zip(model.groups, model.layout(params)[1:], params.experts, strict=True)
    return np.concatenate(
        [
            np.setdiff1d(np.arange(at.start, at.stop), at.start + g.expert.coefficient_places(p))
            for g, at, p in places
        ]
    )
