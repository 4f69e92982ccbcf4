"""Slopes that all experts of a group have in common.

Every coefficient has a place in theta: own ones one each, then of each shared feature one for all
experts, an output each. Scores and curvatures add up there, so that the weighted normal equations
of all experts are one system in the shape of an arrow::

    [ A_1           B_1 ] [ own_1  ]   [ g_1     ]
    [       A_2     B_2 ] [ own_2  ] = [ g_2     ]
    [ B_1'  B_2'    C   ] [ shared ]   [ sum h_k ]

The own blocks are eliminated one by one (Schur's complement), which costs as much as to solve them
apart. Golub & Van Loan (2013), Matrix Computations, section 3.2.
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import null_space

from moe_classic._data import DesignMap, column_numbers
from moe_classic._numerics import solve_psd
from moe_classic._typing import Bools, Floats, Ints
from moe_classic.preprocessing import FormulaTerms, TableEncoder

from ._base import Expert

#: What the name of a feature of a formula says besides the term.
_LEVEL = re.compile(r"\[[^\]]*\]")
#: Share of a direction by which a line moves, relative to the most, that counts as none.
_MOVED = 1e-6


def shares_any(expert: Any) -> bool:
    """Whether the description names columns whose slopes all experts share."""
    shared = getattr(expert, "shared", None)
    return shared is not None and (not hasattr(shared, "__len__") or len(shared) > 0)


def check_shared(expert: Any) -> None:
    """Raise if ``shared`` is no list of columns, or has no meaning beside other arguments."""
    if not shares_any(expert):
        return
    who = f"{type(expert).__name__}: shared={expert.shared!r}"
    if not isinstance(expert.shared, (list, tuple, np.ndarray, pd.Index)):
        raise TypeError(
            f"{who} must be None or a list of column names or indices of X, as in "
            f"shared=[{expert.shared!r}]."
        )
    if hasattr(expert.features, "transform") and not isinstance(expert.features, FormulaTerms):
        raise ValueError(
            f"{who} names columns of X, but the experts see what features={expert.features!r} "
            "makes of them. Transform X before the model, in a pipeline, or leave shared=None."
        )
    if expert.penalty is not None:
        raise ValueError(
            f"{who} has no meaning together with penalty={expert.penalty!r}, which chooses the "
            "slopes of every expert by itself; use alpha= or leave shared=None."
        )


def shared_features(expert: Any, design: DesignMap, columns: list[str]) -> tuple[int, ...]:
    """Numbers of the features of the design whose slopes are shared; raises for what is not seen.

    A column of levels is shared with all features that it becomes; under a formula terms are named.
    """
    owner = type(expert).__name__
    if isinstance(design.transformer, FormulaTerms):
        return _shared_terms(expert.shared, design.transformer, owner)
    wanted = column_numbers(expert.shared, columns, owner, "shared")
    sources = _sources(design, len(columns))
    unseen = [columns[j] for j in wanted if j not in sources]
    if unseen:
        seen = [columns[j] for j in dict.fromkeys(sources)]
        raise ValueError(
            f"{owner}: shared={expert.shared!r} names {unseen[0]!r}, which is no feature of these "
            f"experts; they see {seen[:8]}{'...' if len(seen) > 8 else ''}."
        )
    return tuple(i for i, j in enumerate(sources) if j in wanted)


def _shared_terms(shared: Any, formula: FormulaTerms, owner: str) -> tuple[int, ...]:
    """Numbers of the features that some terms of a formula become."""
    names = [str(name) for name in formula.get_feature_names_out()]
    terms = [_LEVEL.sub("", name) for name in names]
    strange = [term for term in shared if term not in (*terms, *names)]
    if strange:
        raise ValueError(
            f"{owner}: shared={shared!r} names {strange[0]!r}, which is no term of the experts' "
            f"formula {formula.terms!r}; it has {list(dict.fromkeys(terms))}."
        )
    return tuple(
        i
        for i, (name, term) in enumerate(zip(names, terms, strict=True))
        if name in shared or term in shared
    )


def _sources(design: DesignMap, width: int) -> list[int]:
    """Column of X that each feature of the design comes from."""
    taken = list(range(width)) if design.columns is None else [int(j) for j in design.columns]
    encoder = design.transformer
    if not isinstance(encoder, TableEncoder):
        return taken
    dropped = 0 if encoder.drop is None else 1
    levels = encoder.levels_
    counts = [len(levels[c]) - dropped if c in levels else 1 for c in encoder.columns_]
    return [j for j, count in zip(taken, counts, strict=True) for _ in range(count)]


@lru_cache(maxsize=64)
def places_of(shape: tuple[int, int, int], shared: tuple[int, ...]) -> Ints:
    """Places in theta of coefficients (K, M, r), those of the ``shared`` features the last."""
    K, M, r = shape
    own = own_features(r, shared)
    places, count = np.empty(shape, dtype=np.intp), K * M * int(own.sum())
    places[..., own] = np.arange(count).reshape(K, M, -1)
    places[..., ~own] = count + np.arange(M * len(shared)).reshape(M, -1)
    places.flags.writeable = False
    return places


def own_features(r: int, shared: tuple[int, ...]) -> Bools:
    """Which of r coefficients each expert has for itself."""
    own = np.ones(r, dtype=bool)
    own[list(shared)] = False
    return own


def counted_once(x: Floats, shared: tuple[int, ...]) -> Floats:
    """Numbers (K, M, r) of coefficients with those of shared ones left to the first expert."""
    out = np.array(x)
    out[1:, :, list(shared)] = 0.0
    return out


def solve_together(
    A: Floats, b: Floats, shared: tuple[int, ...], still: Bools | None = None
) -> Floats:
    """Solutions (K, r, m) of the sum of systems ``A x = b`` with shared rows of x in common.

    Parameters
    ----------
    A : ndarray of shape (K, r, r)
        Symmetric positive semidefinite.
    b : ndarray of shape (K, r, m)
    shared : numbers of the rows in common
    still : ndarray of bool, shape (K,), default=None
        Whose own rows stay zero.
    """
    own = np.flatnonzero(own_features(A.shape[-1], shared))
    common, moves = np.array(shared), np.ones((len(A), 1, 1))
    if still is not None:
        moves[still] = 0.0
    blocks = A[:, own[:, None], own] * moves
    border = A[:, own[:, None], common] * moves
    known = np.concatenate([b[:, own] * moves, border], axis=-1)
    solved = solve_psd(blocks, known)
    alone, along = np.split(solved, [b.shape[-1]], axis=-1)
    left = (A[:, common[:, None], common] - border.swapaxes(1, 2) @ along).sum(axis=0)
    right = (b[:, common] - border.swapaxes(1, 2) @ alone).sum(axis=0)
    step = solve_psd(0.5 * (left + left.T)[None], right[None])[0]
    x = np.empty_like(b)
    x[:, own], x[:, common] = alone - along @ step, step
    return x


def unmoved(places: Ints, null: Floats, size: int) -> Floats:
    """Orthonormal directions (size, R) of theta along which none of K lines moves.

    Parameters
    ----------
    places : ndarray of shape (K, q)
        Where the coefficients of the lines stand; -1 where they are known.
    null : ndarray of shape (q, r)
        Orthonormal directions of coefficients that move no line.
    size : int
    """
    used = np.unique(places[places >= 0])
    lines = np.asarray(places[..., None] == used, dtype=np.float64)
    moved = (lines - null @ (null.T @ lines)).reshape(-1, used.size)
    out = null_space(moved, rcond=_MOVED)
    full = np.zeros((size, out.shape[1]))
    full[used] = out
    return full


class SharedSlopes(Expert):
    """Experts of linear predictors some of whose slopes may be one for all of them."""

    #: Columns of X whose slopes all experts share, of families that have it.
    shared: Any = None
    #: The features of the design that they are, once that is known.
    _shared: tuple[int, ...] = ()

    def seeing(self, design: DesignMap, columns: list[str]) -> Any:
        """The expert that knows which features of its design are shared."""
        if not shares_any(self):
            return self
        bound = copy(self)
        bound._shared = shared_features(self, design, columns)
        return bound

    def common(self, coef: Floats) -> tuple[int, ...]:
        """Features whose slopes are one for all of several experts."""
        return self._shared if len(coef) > 1 else ()

    def places(self, learned: Floats) -> Ints:
        """Places in theta of learned coefficients, (K, M, r): shared ones have one in common."""
        return places_of(learned.shape, self.common(learned))

    def once(self, learned: Floats) -> Floats:
        """Numbers (K, M, r) of learned coefficients, each counted once: in the first expert."""
        common = self.common(learned)
        return counted_once(learned, common) if common else learned

    def gathered(self, learned: Floats) -> Floats:
        """Sums of numbers (K, M, r) of learned coefficients over what each place stands for."""
        if not self.common(learned):
            return learned.ravel()
        sums = np.bincount(self.places(learned).ravel(), weights=learned.ravel())
        return np.asarray(sums, dtype=np.float64)

    def agreed(self, params: Any) -> Any:
        """Parameters whose shared slopes are the means of those of the experts."""
        coef = np.array(params.coef)
        columns = list(self.common(coef))
        coef[..., columns] = coef[..., columns].mean(axis=0)
        return replace(params, coef=coef) if columns else params

    def unmoved(self, params: Any, null: Floats) -> Floats:
        """Orthonormal directions of theta along which no predictor moves, (n_theta, R).

        ``null`` (q, r) are those of the coefficients of one line.
        """
        places, size = self.coefficient_places(params), self.pack(params).size
        return np.hstack([unmoved(lines, null, size) for lines in places.swapaxes(0, 1)])

    def redundant(self, params: Any, null: Floats) -> int:
        """How many parameters are none, as directions ``null`` (q, r) of the design do nothing."""
        if not (self.common(params.coef) and null.size):
            return super().redundant(params, null)
        return int(self.unmoved(params, null).shape[1])

    def n_lines(self, params: Any) -> int:
        """How many coefficients theta begins with."""
        coef = self.learned(params.coef)
        return int(self.places(coef).max(initial=-1)) + 1 if self.common(coef) else coef.size
