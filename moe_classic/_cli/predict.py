"""``python -m moe_classic predict``: what a saved model says of new rows, as a table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from .files import harmless, not_written
from .progress import say
from .table import UsageError, check_complete, numbers, read_csv

#: What joblib raises at a file that holds no model.
_UNREADABLE = (ArithmeticError, AttributeError, EOFError, ImportError, LookupError, ValueError)


def predict_parser() -> argparse.ArgumentParser:
    """The arguments after ``predict``."""
    p = argparse.ArgumentParser(
        prog="python -m moe_classic predict",
        description="Predict the rows of a table with a saved model: means and quantiles of the "
        "predictive distribution, or classes and their probabilities.",
    )
    p.add_argument("model", help="model.joblib of an earlier run; loading runs code, so trust it")
    p.add_argument("csv", help="table with a header line and the columns of the features")
    p.add_argument(
        "--quantiles",
        nargs="+",
        type=float,
        metavar="Q",
        help="quantiles of a regression (default: 0.05 0.5 0.95)",
    )
    p.add_argument("--sep", help="what separates columns (\\t: a tab; default: as the header)")
    p.add_argument(
        "--output", type=Path, metavar="FILE", help="where the table goes (default: printed)"
    )
    return p


def predict_rows(args: argparse.Namespace) -> None:
    """Everything that ``predict`` does."""
    model = load(args.model)
    if args.quantiles and is_classifier(model):
        raise UsageError("--quantiles have no meaning for classes; their probabilities are given.")
    quantiles = args.quantiles or [0.05, 0.5, 0.95]
    if not all(0.0 < q < 1.0 for q in quantiles):
        raise UsageError(f"--quantiles {quantiles} must lie between 0 and 1.")
    table = harmless(predictions(model, features(model, args.csv, args.sep), quantiles))
    if args.output is None:
        table.to_csv(sys.stdout)
        return
    try:
        table.to_csv(args.output)
    except OSError as error:
        raise not_written(args.output, error) from None
    say(f"{len(table)} predictions: {args.output}")


def load(path: str) -> Any:
    """The fitted model in a file."""
    try:
        model = joblib.load(path)
        check_is_fitted(model)
        if not hasattr(model, "score_samples"):
            raise TypeError(f"it holds a {type(model).__name__}")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}.") from None
    except (*_UNREADABLE, TypeError) as error:
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(f"{path} holds no fitted mixture of experts: {detail}.") from None
    return model


def features(model: Any, path: str, sep: str | None) -> Any:
    """The columns that the model was fitted on, as numbers."""
    frame = read_csv(path, sep)
    names = getattr(model, "feature_names_in_", None)
    names = frame.columns[: model.n_features_in_] if names is None else names
    missing = [str(name) for name in names if name not in frame.columns]
    if missing:
        raise UsageError(f"{path} has no column {', '.join(map(repr, missing))}.")
    if len(names) < model.n_features_in_:
        raise UsageError(
            f"{path} has {len(names)} columns, the model was fitted on {model.n_features_in_}."
        )
    for name in names:
        check_complete(frame[name], path)
    hint = "the model was fitted on numbers"
    X = pd.DataFrame({name: numbers(frame[name], path, hint) for name in names})
    return X if hasattr(model, "feature_names_in_") else X.to_numpy()


def predictions(model: Any, X: Any, quantiles: list[float]) -> pd.DataFrame:
    """One row for each row of X, numbered from 1."""
    columns = {"prediction": np.asarray(model.predict(X))}
    if is_classifier(model):
        proba = model.predict_proba(X)
        columns |= {f"P({c})": proba[:, i] for i, c in enumerate(model.classes_)}
    else:
        values = model.predict_quantile(X, quantiles)
        columns |= {f"q{q:g}": values[:, i] for i, q in enumerate(quantiles)}
    return pd.DataFrame(columns, index=pd.RangeIndex(1, len(X) + 1, name="row"))
