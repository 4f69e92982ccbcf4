"""Steps of one component outside any solver, as the tests of single families need them."""

import numpy as np

from moe_classic._data.blocks import Design
from moe_classic._data.stats import summarise


def make_design(x):
    """Design of the features ``x`` (p, n) and the constant."""
    x = np.atleast_2d(x)
    return Design(np.vstack([x, np.ones(x.shape[1])]))


def statistics(expert, params, design, y, S):
    """Statistics of all rows."""
    fwd = expert.forward(params, design, y)
    return expert.statistics(params, fwd, design, S, design.grams(expert.curvature(params, fwd, S)))


def update(expert, params, design, y, S, summary, *, times=1):
    """Parameters after some undamped steps."""
    for _ in range(times):
        params = expert.update(params, statistics(expert, params, design, y, S), summary)
    return params


def fit(expert, design, y, w=None, *, times=1, n_classes=0):
    """One expert fitted to all rows from its own start, and the summary of the data."""
    w = np.ones(design.Z.shape[1]) if w is None else w
    summary = summarise(y, w, n_classes)
    bound = expert.bind(summary)
    start = bound.start(1, design.width, summary)
    return update(bound, start, design, y, w[None], summary, times=times), summary
