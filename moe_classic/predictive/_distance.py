"""Half the mean distance of two draws from a mixture, by a series whose terms cost K, not K^2.

On ``[-L, L]`` the triangle wave of period 2 L is the absolute value, and its Fourier series is

::

    |z| = L / 2 - 4 L / pi^2 sum_{n odd} cos(n pi z / L) / n^2
    E|Y - Y'| = L / 2 - 4 L / pi^2 sum_{n odd} |phi(n pi / L)|^2 / n^2

with ``phi(t) = sum_k w_k exp(i t m_k) f_k(s_k t)`` the characteristic function of the mixture
(Szekely & Rizzo 2013, Energy statistics, Journal of Statistical Planning and Inference 143, for
distances as integrals of these; the trapezoidal rule there is the series here). What is left out is
known beforehand: no more than ``2 E(|Y - Y'| - L)+`` beyond L, and the terms after the last, of
which ``|phi|`` is below the largest ``f_k``. Both are chosen below 1e-9 of the scales.

Terms are as many as L has times the smallest scale. Where some experts are much narrower than the
others their pairs among themselves are left to sums over neighbours, since ``f_j f_k`` falls as
fast as the wider one's; where some have long tails, all pairs with them are left out. What is
taken is what promises to be cheapest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, kve, stdtr

from moe_classic._components import Noise, student_pdf
from moe_classic._typing import Bools, Floats, Ints

from ._near import near_distance

#: A characteristic function up to this is none: its square times the scale is an error's bound.
_NONE = 1e-5
#: The same where products with a function that has not fallen count.
_NONE_BESIDE = 1e-10
#: Mean excess over the reach of a noise of scale 1.
_EXCESS = 1e-10
#: Degrees of freedom for which the series may pay and Bessel's function stays in range.
_LEAST_DF, _MOST_DF = 3.0, 100.0
#: Weights up to this are none, and those of which products are none.
_UNHEARD, _HEARD_IN_PAIRS = 1e-18, 1e-9
#: Rows share their frequencies with others of up to this multiple of the range.
_ALIKE = 1.25
#: Microseconds of a pair, elementary or not: of a call, and of a row that hears it.
_PAIR, _SUM_OF_NORMALS = (10.0, 0.02), (200.0, 0.06)
#: The same of a term: of a call, and of an expert in a row.
_TERM = (12.0, 0.0025)
#: The same of neighbours: of a step among the sorted, of sorting an expert in a row, of each
#: expert in a step and of a pair that is near.
_NEIGHBOURS = np.array([30.0, 0.1, 0.005, 0.05])
#: The same of comparing plans.
_PLAN = 2000.0
#: Experts below which pairs are as good.
_FEW = 4


class Series(NamedTuple):
    """Which pairs a series stands for.

    Attributes
    ----------
    experts : ndarray of int, those of it, narrow ones first
    narrow : how many of them, all normal, have their pairs among themselves left out: those are
        asked of neighbours
    reach : what the locations have beside them on the whole
    cut : ndarray, frequency from which on each is silent
    last : frequency of the last term, 0 for no series at all
    """

    experts: Ints
    narrow: int
    reach: float
    cut: Floats
    last: float

    def covers(self, K: int) -> Bools:
        """Pairs (K, K) that it stands for, those of neighbours included."""
        inside = np.zeros(K, dtype=bool)
        inside[self.experts] = True
        return inside[:, None] & inside


def worthwhile(weights: Floats, location: Floats, noise: Sequence[Noise]) -> Series | None:
    """The series that makes the score of these rows (K, n) cheapest; None where pairs are."""
    known = np.array([k for k, e in enumerate(noise) if _is_known(e)], dtype=np.intp)
    if known.size < _FEW or not weights.size:
        return None
    n, heard = weights.shape[1], weights > _UNHEARD
    by_pair = _pair_costs(weights, noise)
    if by_pair.sum() < _PLAN:
        return None
    half = float(np.mean(_ranges(location[known], heard[known])[1]))

    def cost(series: Series | None) -> float:
        if series is None:
            return float(by_pair.sum())
        left = by_pair[~series.covers(len(noise))].sum()
        return float(left + _series_cost(series, noise, n, half))

    return min((None, *_candidates(known, noise)), key=cost)


def _pair_costs(weights: Floats, noise: Sequence[Noise]) -> Floats:
    """What each pair takes (K, K), half of it in either place."""
    K, n = weights.shape
    heard = float(np.square((weights > _HEARD_IN_PAIRS).sum(axis=0)).sum()) / K**2
    students = np.array([e.family == "student_t" for e in noise])
    long = students[:, None] | students
    costs = [call + row * min(heard, n) for call, row in (_PAIR, _SUM_OF_NORMALS)]
    return np.where(long, costs[1], costs[0]) * np.where(np.eye(K, dtype=bool), 0.0, 0.5)


def _series_cost(series: Series, noise: Sequence[Noise], n: int, half: float) -> float:
    """What a series takes, and the neighbours beside it, for locations in ``-half`` to ``half``."""
    spent, (call, row) = 0.0, _TERM
    if series.last:
        terms = series.last * (2.0 * half + series.reach) / (2.0 * np.pi) + 1.0
        spent = terms * (call + row * n * series.experts.size)
    if count := series.narrow:
        scale = np.array([float(noise[k].scale) for k in series.experts[:count]])
        steps = 1.0 + count * min(1.0, 10.0 * scale.max() / max(half, 1e-300))
        near = 0.5 * count**2 * min(1.0, 10.0 * scale.mean() / max(half, 1e-300))
        spent += steps * _NEIGHBOURS[0] + n * float(_NEIGHBOURS[1:] @ [count, steps * count, near])
    return spent


def _candidates(known: Ints, noise: Sequence[Noise]) -> Iterator[Series]:
    """Series without some of the longest tails, with some of the narrowest set apart."""
    scale = np.array([float(noise[k].scale) for k in known])
    reach = scale * [_reach(*_law(noise[k])) for k in known]
    cut = np.array([_cut(*_law(noise[k]), _NONE_BESIDE) for k in known]) / scale
    full = np.array([_cut(*_law(noise[k]), _NONE) for k in known]) / scale
    by_reach = np.argsort(-reach, kind="stable")
    for heavy in list(_counts(known.size))[:-1]:
        mine = by_reach[heavy:]
        mine = mine[np.argsort(-cut[mine], kind="stable")]
        normal = [noise[known[i]].family == "gaussian" for i in mine]
        for narrow in _counts(mine.size):
            if not all(normal[:narrow]):
                break
            last = 0.0 if narrow == mine.size else (cut if narrow else full)[mine[narrow]]
            yield Series(
                known[mine], narrow, 2.0 * float(reach[mine].max()), cut[mine], float(last)
            )


def _counts(size: int) -> Iterator[int]:
    """0, powers of 2 that leave a few, and all."""
    yield 0
    count = 1
    while size - count >= _FEW:
        yield count
        count *= 2
    yield size


def half_distance(
    weights: Floats, location: Floats, noise: Sequence[Noise], series: Series
) -> Floats:
    """``sum w_j w_k E|Y_j - Y_k| / 2`` over the ordered pairs of a series, (n,)."""
    w, m = weights[series.experts], location[series.experts]
    own, few = [noise[k] for k in series.experts], series.narrow
    beside: Floats | float = 0.0
    if few:
        beside = near_distance(w[:few], m[:few], np.array([float(e.scale) for e in own[:few]]))
    if not series.last:
        return np.asarray(beside)
    middle, half = _ranges(m, w > _UNHEARD)
    length = 2.0 * half + series.reach
    group = np.floor(np.log(length / length.min(initial=np.inf)) / np.log(_ALIKE))
    out = np.empty(len(length))
    for g in np.unique(group):
        rows = np.flatnonzero(group == g)
        most = float(length[rows].max())
        out[rows] = _summed(w[:, rows], m[:, rows] - middle[rows], own, series, most)
    return out + beside


def _ranges(m: Floats, heard: Bools) -> tuple[Floats, Floats]:
    """Middle and half the range of the locations that are heard in each row, (n,)."""
    low = np.where(heard, m, np.inf).min(axis=0, initial=np.inf)
    high = np.where(heard, m, -np.inf).max(axis=0, initial=-np.inf)
    none = low > high
    low, high = np.where(none, 0.0, low), np.where(none, 0.0, high)
    return 0.5 * (low + high), 0.5 * (high - low)


def _summed(w: Floats, m: Floats, noise: list[Noise], series: Series, length: float) -> Floats:
    """The series for rows of one length L, (n,)."""
    order = np.arange(1.0, series.last * length / np.pi + 2.0, 2.0)
    t = order * (np.pi / length)
    f = np.array([_characteristic(*_law(e), t * float(e.scale)) for e in noise])
    live = np.searchsorted(-series.cut, -t, side="right")
    turn = m * (np.pi / length)
    phase, step = w * np.exp(1j * turn), np.exp(2j * turn)
    total, narrow = np.zeros(m.shape[1]), series.narrow
    for i, many in enumerate(live):
        many = max(int(many), 1)
        phi = f[:many, i] @ phase[:many]
        square = phi.real**2 + phi.imag**2
        if narrow:
            alone = f[:narrow, i] @ phase[:narrow]
            square -= alone.real**2 + alone.imag**2
        total += square / order[i] ** 2
        phase[:many] *= step[:many]
    pairs = np.square(w.sum(axis=0)) - np.square(w[:narrow].sum(axis=0))
    return 0.25 * length * pairs - (2.0 * length / np.pi**2) * total


# ------------------------------------------------------------------------- what is known of noises


def _is_known(e: Noise) -> bool:
    """Whether a series may stand for pairs with a noise."""
    student = e.family == "student_t" and _LEAST_DF <= e.df <= _MOST_DF
    return bool(np.ndim(e.scale) == 0 and (e.family == "gaussian" or student))


def _law(e: Noise) -> tuple[str, float]:
    """Family and degrees of freedom."""
    return e.family, float(e.df)


def _characteristic(family: str, df: float, x: Floats) -> Floats:
    """Characteristic function of a noise of scale 1 at ``x > 0``; Student's by Bessel's K."""
    if family == "gaussian":
        return np.exp(-0.5 * np.square(x))
    half, z = 0.5 * df, np.sqrt(df) * x
    log_f = half * np.log(z) - z - gammaln(half) - (half - 1.0) * np.log(2.0)
    return kve(half, z) * np.exp(log_f)


@lru_cache(maxsize=256)
def _cut(family: str, df: float, none: float) -> float:
    """Frequency from which on the function is below ``none``, a little more."""
    x = np.geomspace(0.5, 500.0, 400)
    return float(x[int(np.argmax(_characteristic(family, df, x) < none))])


@lru_cache(maxsize=256)
def _reach(family: str, df: float) -> float:
    """Size beyond which next to nothing is left, ``E(|e| - reach)+ < 1e-10``; inf if too far."""
    if family == "gaussian":
        return 6.2
    x = np.geomspace(5.0, 1e5, 600)
    excess = 2.0 * (student_pdf(x, df) * (df + x**2) / (df - 1.0) - x * stdtr(df, -x))
    near = excess < _EXCESS
    return float(x[int(np.argmax(near))]) if near.any() else np.inf
