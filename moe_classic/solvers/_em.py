"""Expectation-maximisation, one pass over the data an iteration.

::

    R_nk  = g_k(x_n) p_k(y_n | x_n) / sum_j g_j p_j                 (E-step)
    theta <- update(theta, sum over blocks of statistics(theta, R))   (M-step)

Damping is free: the pass that gives the statistics for the next step evaluates the proposal anyway.
If the objective fell, the solver goes back half way towards the accepted parameters, so that the
trace never falls. Jordan & Jacobs (1994), section 6; Dempster, Laird & Rubin (1977).

EM gains ground fast and then, where experts overlap, crawls at a rate set by the missing
information. The finish hands over to Newton's method, or to L-BFGS where the information matrix
would be large (Jamshidian & Jennrich 1997, Acceleration of the EM algorithm by using quasi-Newton
methods), or, where neither applies, extrapolates its own steps (SQUAREM). Newton and L-BFGS take
over only where the log-likelihood is concave, so that they end on the hill where EM would. Where
experts have more coefficients than Newton systems are affordable for, there is no EM before L-BFGS.

The E-step may also give every row to one expert: the likeliest (classification EM, Celeux &
Govaert 1992) or one drawn from the posterior (stochastic EM, Celeux & Diebolt 1985); or it may
begin with flattened posteriors (deterministic annealing, Ueda & Nakano 1998).
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from moe_classic._arguments import check_choice, check_range
from moe_classic._model import Model, MoEParams, supported
from moe_classic._objectives import SHARES, ClassificationLikelihood, reseed

from ._ascent import MonotoneAscent, em_path, run_em
from ._base import ENOUGH, STOPPED, Limits, Problem, Result, Solver, joined_results
from ._concavity import warmed_up
from ._kinks import kinks_path, settled_zeros
from ._lbfgs import LBFGS, differentiable
from ._newton import Newton
from ._paths import Path, walk
from ._quadratic import affordable
from ._squarem import SQUAREM, squarem_path
from ._stopping import tight_tolerance
from ._warm_up import anneal, stochastic_em

#: Passes after which EM may hand over, and the rate of convergence above which it does: below, EM
#: itself gets to the last digits in fewer passes than the finish would take.
_PATIENCE = 12
_SLOW = 0.6
Finish = Newton | LBFGS | SQUAREM
_FINISHES: dict[str, type[Finish]] = {"newton": Newton, "lbfgs": LBFGS, "squarem": SQUAREM}


class EM(Solver):
    """EM with free damping, Aitken stopping and a quadratic finish.

    Parameters
    ----------
    finish : {"auto", "newton", "lbfgs", "squarem", None}, default="auto"
        What takes over when EM has become slow, and goes to the last digits. ``"auto"`` takes
        Newton where its matrix is affordable (up to 600 parameters, and 5e8 rows times squared
        parameters), else L-BFGS, and SQUAREM where a density has kinks (Laplace) or the gate
        describes x (Gaussian); None never hands over. Only with soft and stochastic assignment.
    assignment : {"soft", "hard", "stochastic"}, default="soft"
        What the E-step does with a row. ``"soft"`` splits it by the posterior. ``"hard"`` gives it
        to its likeliest expert: classification EM climbs ``sum_n max_k (log g + log p)``, ends
        after finitely many changes of labels, and is biased towards sharp gates and small scales;
        an expert that lost all rows begins anew with the rows that fit worst. ``"stochastic"``
        first draws experts from the posterior for up to 50 passes, which can leave a poor hill,
        then climbs on softly from the best parameters seen.
    annealing : float or None, default=None
        Inverse temperature in (0, 1) with which to begin: posteriors are raised to this power,
        which grows to 1 step by step, and only then the likelihood is climbed. A start that cares
        less about where it began; 0.3 to 0.6 are usual. Only with soft assignment.

    References
    ----------
    Jordan & Jacobs (1994), Hierarchical mixtures of experts and the EM algorithm, Neural
    Computation 6. Celeux & Govaert (1992), A classification EM algorithm for clustering and two
    stochastic versions, Computational Statistics & Data Analysis 14. Ueda & Nakano (1998),
    Deterministic annealing EM algorithm, Neural Networks 11.

    Examples
    --------
    >>> from moe_classic import MoERegressor
    >>> from moe_classic.datasets import load_tone
    >>> from moe_classic.solvers import EM
    >>> X, y = load_tone(return_X_y=True)
    >>> moe = MoERegressor(2, solver=EM(finish=None), random_state=0).fit(X, y)
    >>> round(moe.score(X, y), 2)
    0.36
    """

    name: ClassVar[str] = "em"
    takes_kinks: ClassVar[bool] = True

    def __init__(
        self,
        *,
        finish: str | None = "auto",
        assignment: str = "soft",
        annealing: float | None = None,
    ) -> None:
        self.finish = finish
        self.assignment = assignment
        self.annealing = annealing

    @property
    def objective_name(self) -> str:
        """The log-likelihood, or with hard assignment the classification log-likelihood."""
        return "classification likelihood" if self.assignment == "hard" else "likelihood"

    def with_objective(self, problem: Problem) -> Problem:
        """The problem with the objective that is climbed."""
        if self.assignment == "hard":
            return replace(problem, objective=ClassificationLikelihood(problem.model))
        return problem

    def check(self) -> None:
        """Raise if an argument is unknown or has no meaning beside the others."""
        check_choice(self, "finish", ("auto", *_FINISHES, None))
        check_choice(self, "assignment", ("soft", "hard", "stochastic"))
        if self.assignment == "hard" and self.finish in _FINISHES:
            raise ValueError(
                f"EM: finish={self.finish!r} has no meaning with assignment='hard': the finish "
                "climbs the likelihood, classification EM another objective. Leave finish at "
                "'auto' or set it to None."
            )
        if self.annealing is None:
            return
        check_range(self, "annealing", "the first inverse temperature, or None", high=1.0)
        if self.assignment != "soft":
            raise ValueError(
                f"EM: annealing={self.annealing!r} has no meaning with "
                f"assignment={self.assignment!r}: it flattens soft posteriors. Set one of the two."
            )

    def check_model(self, model: Model) -> None:
        """Raise if the finish is impossible for the components."""
        if self.finish in _FINISHES:
            _FINISHES[self.finish]().check_model(model)
            _FINISHES[self.finish]().check_penalties(model)

    def finisher(self, problem: Problem, params: MoEParams) -> Finish | None:
        """The solver that takes over, or None."""
        model = problem.model
        if self.finish is None or self.assignment == "hard" or model.n_experts == 1:
            return None
        if self.finish in _FINISHES:
            return _FINISHES[self.finish]()
        parts = (model.gate, *(g.expert for g in model.groups))
        if not all(part.additive and part.has("pack") for part in parts):
            return None
        if supported(model) and affordable(problem, params):
            return Newton()
        smooth = all(differentiable(g.expert) for g in model.groups) and model.gate.has("gradient")
        # Covariances of x near their floor are steep: there EM's own map is the better guide.
        if smooth and not model.gate.generative:
            return LBFGS()
        return SQUAREM()

    def climb(self, problem: Problem, params: MoEParams, limits: Limits) -> Result:
        """EM after its stages, and the finish once EM is slow and the way up is clear."""
        if self.assignment == "hard":
            return _classify(self.with_objective(problem), params, limits)
        return walk(problem, self.path(problem, params, limits))

    @property
    def shares_passes(self) -> bool:  # type: ignore[override]
        """Unless other objectives come before the likelihood, or take its place."""
        return self.assignment == "soft" and self.annealing is None

    def path(self, problem: Problem, params: MoEParams, limits: Limits) -> Path[Result]:
        """Soft EM after what comes before it, and its finish."""
        before = 0
        if self.assignment == "stochastic":
            params, before = stochastic_em(problem, params, limits.max_iter // 2)
        elif self.annealing is not None:
            params, before = anneal(problem, params, self.annealing, limits.max_iter // 2)
        rest = limits.less(before)
        finisher = self.finisher(problem, params)
        if problem.model.sparse and self.finish != "squarem":
            newton = self.finish is not None
            result = yield from kinks_path(problem, params, rest, newton=newton)
        elif isinstance(finisher, LBFGS) and problem.model.wide(params):
            # Steps of EM would have to bound the curvature: thirty passes gain what one here does.
            result = yield from finisher.finish(problem, params, rest)
        elif finisher is None:
            result = yield from em_path(problem, params, rest)
        else:
            result = yield from _finished(problem, params, rest, finisher)
            if problem.model.sparse:
                result = yield from settled_zeros(problem, result, rest)
        return _judged(replace(result, n_iter=result.n_iter + before), limits.enough)


def _finished(
    problem: Problem, params: MoEParams, limits: Limits, finisher: Finish
) -> Path[Result]:
    """EM until it is slow, then the finish, begun where the log-likelihood is concave."""

    def leave(ascent: MonotoneAscent) -> bool:
        return ascent.passes >= _PATIENCE and _rate(ascent.trace) > _SLOW

    polish = replace(limits, enough=tight_tolerance(limits.enough, problem.summary.weight))
    result = yield from em_path(problem, params, polish, leave)
    rest = limits.less(result.n_iter)
    if result.converged or rest.max_iter < 1 or result.message == STOPPED:
        return result
    if isinstance(finisher, SQUAREM):
        later = yield from squarem_path(problem, result.params, rest)
    elif affordable(problem, result.params):
        later = yield from warmed_up(problem, result.params, rest, finisher.finish)
    else:
        later = yield from finisher.finish(problem, result.params, rest)
    if not later.objective >= result.objective:
        # The finish cannot climb from here: EM goes the rest of the way.
        spent = later.n_iter
        rest = replace(rest, max_iter=max(rest.max_iter - spent, 1))
        later = yield from em_path(problem, result.params, rest)
        later = replace(later, n_iter=later.n_iter + spent)
    return joined_results(result, later)


def _judged(result: Result, promised: float) -> Result:
    """A run that ended for another reason has converged where less than promised is left."""
    if result.converged or result.message == STOPPED or not result.gain_left <= promised:
        return result
    return replace(result, converged=True, message=ENOUGH)


def _classify(problem: Problem, params: MoEParams, limits: Limits) -> Result:
    """Classification EM; experts that end up empty begin anew as long as that is higher."""
    best = run_em(problem, params, limits)
    if hasattr(problem.source, "map_reduce"):
        return best  # rows that are elsewhere would all have to come here
    for _ in range(problem.model.n_experts):
        before = best.objective
        start = best.params
        for share in SHARES:
            rest, new = limits.less(best.n_iter), None
            if rest.max_iter >= 1 and best.message != STOPPED:
                new = reseed(problem.model, start, problem.source, problem.summary, share=share)
            if new is None:
                return best
            best = _higher(best, run_em(problem, new, rest))
        if not best.objective > before:
            break
    return best


def _higher(best: Result, other: Result) -> Result:
    """The higher of two results, with the passes of both and a trace that never falls."""
    passes = best.n_iter + other.n_iter
    if not other.objective > best.objective:
        return replace(best, n_iter=passes)
    trace = best.trace + [value for value in other.trace if value > best.objective]
    return replace(other, trace=trace, n_iter=passes)


def _rate(trace: list[float]) -> float:
    """Ratio of the last two increments: the local rate of convergence."""
    if len(trace) < 3:
        return 0.0
    before = trace[-2] - trace[-3]
    return (trace[-1] - trace[-2]) / before if before > 0.0 else 1.0
