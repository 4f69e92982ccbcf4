"""Candidates fitted and cross-validated, in turn or side by side, and their ranking."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold

from moe_classic._typing import Floats

from .candidates import candidates
from .progress import progress, say
from .table import Table, UsageError


@dataclass(frozen=True)
class Candidate:
    """A family and a number of experts, fitted and cross-validated.

    Attributes
    ----------
    model : fitted estimator
    bic : float
    scores : ndarray of shape (n_samples,)
        Log density of each row when it was held out.
    interpolating : int
        Experts that pass through their rows: the likelihood only measures their ``min_scale``.
    note : str
        What to know about the fits; empty if they went well.
    seconds : float
        What it took, by the clock.
    """

    model: Any
    bic: float
    scores: Floats
    interpolating: int
    note: str
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """The model in words."""
        return title(self.model)

    @property
    def result(self) -> str:
        """The model and how it did, in one line."""
        note = f"; {self.note}" if self.note else ""
        numbers = f"log score {self.scores.mean():.4f}, BIC {self.bic:.2f}"
        return f"{self.title}: {numbers} ({self.seconds:.1f} s){note}"


def title(model: Any) -> str:
    """A model in words."""
    K, family = model.n_experts, model.expert
    return f"1 {family} expert" if K == 1 else f"{K} {family} experts, {model.gate} gate"


@dataclass
class Compared:
    """What a comparison has come to.

    Attributes
    ----------
    found : candidates that could be fitted
    failed : why the others could not
    interrupted : whether it was broken off
    """

    found: list[Candidate] = field(default_factory=list)
    failed: list[UsageError] = field(default_factory=list)
    interrupted: bool = False


def compare(table: Table, args: argparse.Namespace) -> Compared:
    """All models that could be fitted; each is told as it comes, also why one could not.

    Raises
    ------
    UsageError
        If no model could be fitted.
    KeyboardInterrupt
        If the user broke off before the first was.
    """
    models = list(candidates(table, args))
    compared = Compared()
    with progress(len(models)) as tell:
        try:
            for outcome in _outcomes(models, table, args):
                if isinstance(outcome, Candidate):
                    compared.found.append(outcome)
                    tell(outcome.result)
                else:
                    compared.failed.append(outcome)
                    tell(f"Left out: {outcome}")
        except KeyboardInterrupt:
            if not compared.found:
                raise
            compared.interrupted = True
    if not compared.found:
        raise compared.failed[0]
    return compared


def _outcomes(
    models: list[Any], table: Table, args: argparse.Namespace
) -> Iterator[Candidate | UsageError]:
    """What became of each model, in order."""
    how = (table, args.folds, args.seed)
    if args.jobs == 1 or len(models) == 1:
        yield from (attempt(model, *how) for model in models)
        return
    parallel = joblib.Parallel(args.jobs, return_as="generator")
    with closing(parallel(joblib.delayed(attempt)(model, *how) for model in models)) as outcomes:
        yield from outcomes


def attempt(model: Any, table: Table, folds: int, seed: int) -> Candidate | UsageError:
    """The candidate, or why there is none."""
    begin = time.perf_counter()
    try:
        found = tried(model, table, folds, seed)
    except UsageError as error:
        return error
    return replace(found, seconds=time.perf_counter() - begin)


def tried(model: Any, table: Table, n_folds: int, seed: int) -> Candidate:
    """A model fitted to all rows, and cross-validated."""
    splitter = StratifiedKFold if table.task == "classification" else KFold
    folds = splitter(n_folds, shuffle=True, random_state=seed)
    scores, capped = np.empty(len(table.y)), 0
    try:
        with warnings.catch_warnings():
            # Said in the ranking's notes instead.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(table.X, table.y)
            for train, test in folds.split(table.X, table.y):
                part = clone(model).fit(table.X.iloc[train], table.y[train])
                scores[test] = part.score_samples(table.X.iloc[test], table.y[test])
                capped += not part.converged_
    except ValueError as error:
        raise UsageError(f"n_experts={model.n_experts}, {model.expert}: {error}") from error
    report, notes = model.start_report_, []
    interpolating = int(report.degenerate_experts[report.finalist].min())
    if interpolating:
        notes.append(f"{interpolating} interpolating")
    if not model.converged_:
        notes.append("not converged")
    if capped:
        notes.append(f"{capped} of {n_folds} folds not converged")
    bic = model.bic(table.X, table.y)
    return Candidate(model, bic, scores, interpolating, ", ".join(notes))


def ranking(tried: Sequence[Candidate], rank_by: str) -> tuple[pd.DataFrame, list[Candidate]]:
    """Table of all candidates, and the candidates, best first; interpolating ones come last."""

    def place(c: Candidate) -> tuple[bool, float]:
        value = c.bic if rank_by == "bic" else -float(c.scores.mean())
        return c.interpolating > 0, value

    order = sorted(tried, key=place)
    lag = [order[0].scores - c.scores for c in order]
    frame = pd.DataFrame(
        {
            "expert": [c.model.expert for c in order],
            "K": [c.model.n_experts for c in order],
            "parameters": [c.model.n_parameters_ for c in order],
            "log_likelihood": [c.model.log_likelihood_ for c in order],
            "bic": [c.bic for c in order],
            "log_score": [c.scores.mean() for c in order],
            "behind": [d.mean() for d in lag],
            "behind_se": [d.std(ddof=1) / np.sqrt(len(d)) for d in lag],
            "note": [c.note for c in order],
        },
        index=pd.RangeIndex(1, len(order) + 1, name="rank"),
    )
    return frame, order


def refitted(best: Candidate, table: Table) -> Candidate:
    """The best candidate of a sample, fitted to all rows; as it is where the user breaks off."""
    say(f"Fitting {best.title} to all {len(table.y)} rows.")
    model = clone(best.model)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(table.X, table.y)
    except KeyboardInterrupt:
        say("Interrupted: the model that is left is that of the sample.")
        return best
    return replace(best, model=model)
