"""What one robust fit leaves of a target: the unit of floors, known before a model is fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from moe_classic._data import DesignMap, Sample, as_design, is_incomplete
from moe_classic._model import Model, ObservedModel
from moe_classic._numerics import noise_scale
from moe_classic._targets import TrainingData
from moe_classic._typing import Floats

#: Rows that tell the noise of a target, and features up to which it is looked at.
_ROWS, _WIDTH = 2000, 200
#: Complete rows a feature from which on they tell the noise of a model that does with others.
_ENOUGH = 5


def with_noise(
    data: TrainingData, model: Model, maps: tuple[DesignMap, ...], sample: Sample
) -> TrainingData:
    """The data with the noise of each real output in their summary."""
    if data.target.kind != "real":
        return data
    noise = _residual_spread(data, model, maps, sample)
    noise = np.where(data.summary.y_var > 0.0, noise, 0.0)
    return replace(data, summary=replace(data.summary, y_noise=noise))


def _residual_spread(
    data: TrainingData, model: Model, maps: tuple[DesignMap, ...], sample: Sample
) -> Floats:
    """Spread of the residuals of a fit of each output to all that experts see, 0 if not known."""
    widest = max((maps[g.design] for g in model.groups), key=lambda m: m.width)
    some = slice(_ROWS)
    y, w = data.target.to_model(data.target.number(sample.y[:, some])), sample.w[some]
    if widest.width > _WIDTH:
        return np.zeros(len(y))
    Z = as_design(widest(sample.X[some])).dense().Z
    if widest.takes_missing and is_incomplete(Z):
        whole = ~np.isnan(Z).any(axis=0)
        if not (isinstance(model, ObservedModel) and whole.sum() > _ENOUGH * widest.width):
            return np.zeros(len(y))
        Z, y, w = Z[:, whole], y[:, whole], w[whole]
    return np.array([noise_scale(Z, output, w) for output in y])
