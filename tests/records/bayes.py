"""Recorded cases of mixtures with a posterior."""

from __future__ import annotations

from functools import partial
from typing import Any

from moe_classic import BayesianMoEClassifier, BayesianMoERegressor

from .registry import MADE_OF, OPTIMUM, SHOWN, Values, add, classes, frame, lines, made_of, weights

QUICK = {"n_init": 2, "random_state": 0}


def _fit(moe: Any, table: Any, *, weighted: bool = False) -> Values:
    X, y = table()
    w = weights(len(X)) if weighted else None
    moe.fit(X, y, w)
    rows = len(X) if w is None else w.sum()
    return {
        MADE_OF: made_of(moe),
        f"{OPTIMUM}lower bound per row": moe.lower_bound_ / rows,
        "n_experts_": moe.n_experts_,
        "n_iter_": moe.n_iter_,
        "predict": moe.predict(X[:SHOWN]),
        "gate_proba": moe.gate_proba(X[:SHOWN]),
        "score_samples": moe.score_samples(X, y),
        "draws": moe.sample_posterior(3, random_state=0).to_numpy(),
        **frame("summary", moe.summary()),
        **frame("pruning_report_", moe.pruning_report_),
    }


def _regression(name: str, moe: Any, **about: Any) -> None:
    add(f"bayes, {name}", partial(_fit, moe, lines, **about))


_regression("lines", BayesianMoERegressor(4, **QUICK))
_regression("weights", BayesianMoERegressor(2, prune=False, **QUICK), weighted=True)
_regression("priors", BayesianMoERegressor(2, coef_prior=(2.0, 1.0), order_by="scale", **QUICK))
add("bayes, classes", partial(_fit, BayesianMoEClassifier(3, **QUICK), classes))
