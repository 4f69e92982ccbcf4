"""``python -m moe_classic``: compare mixtures of experts on a table, report the best, draw it.

Every pair of expert family and number of experts is fitted to all rows (BIC) and cross-validated
(log score: mean log density of a row that was held out, in nats). Without a CSV file the bundled
tone data serve as an example.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold

from ._report import draw
from ._typing import Floats
from .datasets import load_tone
from .estimators import MoEClassifier, MoERegressor
from .experts import EXPERTS
from .gates import GATES

#: Families compared unless the user names some.
_FAMILIES = {"regression": ["gaussian", "laplace", "student_t"], "classification": ["multinomial"]}
#: With ``--task auto``, a numeric target with at most this many distinct whole numbers is a class.
_MOST_CLASSES = 10


class UsageError(ValueError):
    """An input that cannot be used; its message is the one sentence that the user reads."""


@dataclass(frozen=True)
class Table:
    """Rows to fit, and what they are called.

    Attributes
    ----------
    name : str
    X : DataFrame of float, y : ndarray
    target : str
        Column name of y.
    task : {"regression", "classification"}
    labels : dict of str to str
        What the picture calls a column, where that differs from its name.
    """

    name: str
    X: pd.DataFrame
    y: np.ndarray
    target: str
    task: str
    labels: dict[str, str]

    @property
    def classes(self) -> bool:
        """Whether the target is a class."""
        return self.task == "classification"


@dataclass(frozen=True)
class Candidate:
    """A family and number of experts, fitted and cross-validated.

    Attributes
    ----------
    model : fitted estimator
    bic : float
    scores : ndarray of shape (n_samples,)
        Log density of each row when it was held out.
    note : str
        What to know about the fits; empty if they went well.
    """

    model: Any
    bic: float
    scores: Floats
    note: str

    @property
    def title(self) -> str:
        """The model in words."""
        K, family = self.model.n_experts, self.model.expert
        if K == 1:
            return f"1 {family} expert"
        return f"{K} {family} experts, {self.model.gate} gate"


# ------------------------------------------------------------------------- arguments


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m moe_classic",
        description="Compare mixtures of experts on a table by BIC and cross-validated log score; "
        "print the ranking and the best model's coefficients, save picture and model. Without a "
        "CSV file: the bundled tone data.",
    )
    p.add_argument("csv", nargs="?", help="table with a header line and numeric columns")
    p.add_argument("--target", metavar="COLUMN", help="column to predict; needed with a CSV file")
    p.add_argument(
        "--features", nargs="+", metavar="COLUMN", help="columns to predict from (default: others)"
    )
    p.add_argument("--sep", default=",", help="what separates columns (default: a comma)")
    p.add_argument(
        "--task",
        default="auto",
        choices=["auto", "regression", "classification"],
        help="what the target is; auto: classification for text, booleans and up to "
        f"{_MOST_CLASSES} distinct whole numbers",
    )
    p.add_argument(
        "--experts",
        nargs="+",
        choices=sorted(EXPERTS),
        metavar="FAMILY",
        help=f"families to compare, of {', '.join(sorted(EXPERTS))} (default: "
        f"{' '.join(_FAMILIES['regression'])}; for classes {_FAMILIES['classification'][0]})",
    )
    p.add_argument(
        "--n-experts", nargs="+", type=int, default=[1, 2, 3, 4], metavar="K", help="numbers to try"
    )
    p.add_argument("--gate", default="softmax", choices=sorted(GATES), help="(default: softmax)")
    p.add_argument("--folds", type=int, default=5, help="folds of the cross-validation")
    p.add_argument("--n-init", type=int, default=10, help="starts of every fit")
    p.add_argument("--seed", type=int, default=0, help="seed of the starts and the folds")
    p.add_argument(
        "--rank-by", default="log-score", choices=["log-score", "bic"], help="what decides"
    )
    p.add_argument(
        "--output",
        type=Path,
        default=Path("moe_classic_output"),
        metavar="DIR",
        help="folder for picture, model and tables (default: %(default)s)",
    )
    return p


def check_arguments(args: argparse.Namespace) -> None:
    """Raise if a number is out of range or an option has no meaning without a file."""
    for name, low in (("folds", 2), ("n_init", 1), ("seed", 0)):
        value = getattr(args, name)
        if value < low:
            raise UsageError(f"--{name.replace('_', '-')} {value} must be at least {low}.")
    if min(args.n_experts) < 1:
        raise UsageError(f"--n-experts {min(args.n_experts)} must be at least 1.")
    if args.csv is None:
        for name in ("target", "features"):
            if getattr(args, name) is not None:
                raise UsageError(f"--{name} names columns of a CSV file; name the file too.")


# ------------------------------------------------------------------------- the table


def read_table(args: argparse.Namespace) -> Table:
    """The rows that the arguments ask for, checked."""
    if args.csv is None:
        data = load_tone(as_frame=True)
        labels = {
            "stretchratio": "stretch ratio (stretched overtone : fundamental)",
            "tuned": "tuned ratio (tuned tone : fundamental)",
        }
        frame, name, target = data.frame, "tone", "tuned"
    else:
        frame, name, target, labels = read_csv(args.csv, args.sep), args.csv, args.target, {}
    columns = ", ".join(map(str, frame.columns))
    if target is None:
        raise UsageError(f"name the column to predict with --target, one of: {columns}.")
    features = args.features or [c for c in frame.columns if c != target]
    for column in (target, *features):
        if column not in frame.columns:
            raise UsageError(f"{name} has no column {column!r}; it has: {columns}.")
    if target in features:
        raise UsageError(f"--features must not name the target {target!r}.")
    if not features:
        raise UsageError(f"{name} has no column besides the target {target!r} to predict from.")
    for column in (target, *features):
        check_column(frame[column], name)
    task = find_task(frame[target], args.task)
    X = pd.DataFrame({c: numbers(frame[c], name) for c in features})
    y = numbers(frame[target], name) if task == "regression" else frame[target].to_numpy()
    table = Table(name, X, y, target, task, labels)
    check_rows(table, args)
    return table


def read_csv(path: str, sep: str) -> pd.DataFrame:
    """The table in a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(path, sep=sep, index_col=False)
    except pd.errors.EmptyDataError:
        raise UsageError(f"{path} is empty.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise UsageError(f"{path} is no table: {str(error).strip().splitlines()[-1]}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a text file in UTF-8.") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}.") from None
    if frame.empty:
        raise UsageError(f"{path} has a header but no rows.")
    return frame


def check_column(column: pd.Series, name: str) -> None:
    """Raise where values are missing or infinite."""
    bad, what = column.isna(), "missing"
    if not bad.any() and pd.api.types.is_float_dtype(column):
        bad, what = np.isinf(column), "infinite"
    if bad.any():
        line = int(np.flatnonzero(bad)[0]) + 2
        raise UsageError(
            f"column {column.name!r} of {name} has {int(bad.sum())} {what} value"
            f"{'s' if bad.sum() > 1 else ''}, the first in line {line}; fill or remove such rows."
        )


def numbers(column: pd.Series, name: str) -> Floats:
    """Values of a numeric column."""
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        text = pd.to_numeric(column, errors="coerce").isna()
        raise UsageError(
            f"column {column.name!r} of {name} is not numeric (it holds "
            f"{column[text].iloc[0]!r}); encode it as numbers, or leave it out with --features."
        )
    return column.to_numpy(dtype=np.float64)


def find_task(target: pd.Series, asked: str) -> str:
    """Regression or classification."""
    if asked != "auto":
        return asked
    if pd.api.types.is_bool_dtype(target) or not pd.api.types.is_numeric_dtype(target):
        return "classification"
    few = target.nunique() <= _MOST_CLASSES and (target == target.round()).all()
    return "classification" if few else "regression"


def check_rows(table: Table, args: argparse.Namespace) -> None:
    """Raise where there are too few rows, or nothing to predict."""
    n, most = len(table.y), max(args.n_experts)
    values, counts = np.unique(table.y, return_counts=True)
    if n == 1:
        raise UsageError(f"{table.name} has a single row; nothing can be estimated from it.")
    if len(values) == 1:
        raise UsageError(
            f"the target {table.target!r} is {values[0]!s} in every row; there is nothing to "
            "predict."
        )
    if n < args.folds or n - -(-n // args.folds) < most:
        raise UsageError(
            f"{table.name} has {n} rows, too few for --n-experts {most} with --folds {args.folds}."
        )
    if table.classes and counts.min() < args.folds:
        rare = values[counts.argmin()]
        raise UsageError(
            f"class {rare!s} of {table.target!r} has {counts.min()} rows, and each of --folds "
            f"{args.folds} needs one; use fewer folds or join rare classes."
        )


# ------------------------------------------------------------------------- comparing


def candidates(table: Table, args: argparse.Namespace) -> Iterator[Candidate]:
    """All models, one after the other."""
    estimator = MoEClassifier if table.classes else MoERegressor
    families = args.experts or _FAMILIES[table.task]
    wrong = [f for f in families if EXPERTS[f].target != estimator._target]
    if wrong:
        right = [f for f, expert in EXPERTS.items() if expert.target == estimator._target]
        raise UsageError(
            f"{wrong[0]!r} experts do not describe the {table.task} target {table.target!r}; "
            f"choose of: {', '.join(sorted(right))}."
        )
    for K in sorted(set(args.n_experts)):
        for family in dict.fromkeys(families):
            model = estimator(
                K, expert=family, gate=args.gate, n_init=args.n_init, random_state=args.seed
            )
            yield tried(model, table, args)


def tried(model: Any, table: Table, args: argparse.Namespace) -> Candidate:
    """A model fitted to all rows and cross-validated."""
    splitter = StratifiedKFold if table.classes else KFold
    folds = splitter(args.folds, shuffle=True, random_state=args.seed)
    scores, capped = np.empty(len(table.y)), 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(table.X, table.y)
            for train, test in folds.split(table.X, table.y):
                part = clone(model).fit(table.X.iloc[train], table.y[train])
                scores[test] = part.score_samples(table.X.iloc[test], table.y[test])
                capped += not part.converged_
    except ValueError as error:
        raise UsageError(f"{model.n_experts} {model.expert} experts: {error}") from error
    return Candidate(model, model.bic(table.X, table.y), scores, note(model, capped))


def note(model: Any, capped: int) -> str:
    """What to know about the fits."""
    report, parts = model.start_report_, []
    spikes = int(report.degenerate_experts[report.finalist].min())
    if spikes:
        parts.append(f"{spikes} experts interpolate")
    if not model.converged_ or capped:
        parts.append("max_iter reached" if not model.converged_ else f"{capped} folds at max_iter")
    return ", ".join(parts)


def ranking(tried: Sequence[Candidate], rank_by: str) -> tuple[pd.DataFrame, list[Candidate]]:
    """Table of all candidates and the candidates, best first; interpolating ones come last."""
    key = {"log-score": lambda c: -c.scores.mean(), "bic": lambda c: c.bic}[rank_by]
    order = sorted(tried, key=lambda c: ("interpolate" in c.note, key(c)))
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


# ------------------------------------------------------------------------- reporting


def say(text: str = "") -> None:
    """Write one line to standard output."""
    sys.stdout.write(f"{text}\n")


def printed(frame: pd.DataFrame, decimals: dict[str, int]) -> str:
    """The ranking as text, with so many decimals a column."""
    formats = {name: f"{{:.{d}f}}".format for name, d in decimals.items()}
    return frame.reset_index().to_string(index=False, formatters=formats)


def save(table: Table, frame: pd.DataFrame, best: Candidate, folder: Path) -> dict[str, Path]:
    """Write picture, model and tables; where each went."""
    files = {
        "picture": folder / "picture.png",
        "model": folder / "model.joblib",
        "ranking": folder / "ranking.csv",
        "coefficients": folder / "coefficients.csv",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        frame.to_csv(files["ranking"])
        best.model.summary().to_csv(files["coefficients"])
        joblib.dump(best.model, files["model"])
        title = f"{Path(table.name).name}: {best.title}"
        figure = draw(
            best.model, table.X, table.y, target=table.target, labels=table.labels, title=title
        )
        figure.savefig(files["picture"], dpi=150)
    except OSError as error:
        raise UsageError(f"cannot write to --output {folder}: {error.strerror or error}.") from None
    return files


def run(args: argparse.Namespace) -> None:
    """Everything that the command does."""
    check_arguments(args)
    table = read_table(args)
    n, p = table.X.shape
    seen = ", ".join(table.X.columns[:6]) + (", ..." if p > 6 else "")
    say(f"{table.name}: {n} rows, {table.task} of {table.target} on {seen}")
    say(f"Comparing by BIC on all rows and by log score in {args.folds}-fold cross-validation.")
    frame, order = ranking(list(candidates(table, args)), args.rank_by)
    say()
    decimals = {"log_likelihood": 2, "bic": 2, "log_score": 4, "behind": 4, "behind_se": 4}
    say(printed(frame if frame.note.any() else frame.drop(columns="note"), decimals))
    say()
    say("log_score: mean log density of a held-out row (nats), higher is better; behind: paired")
    say("difference to rank 1 with its standard error. bic: lower is better.")
    say()
    say(f"Best by {args.rank_by.replace('-', ' ')}: {order[0].title}.")
    lowest = min(order, key=lambda c: c.bic)
    if lowest is not order[0]:
        say(f"Lowest BIC: {lowest.title}.")
    say()
    say(order[0].model.summary().to_string(float_format="{:.5g}".format, na_rep=""))
    files = save(table, frame, order[0], args.output)
    say()
    for what, path in files.items():
        say(f"{what + ':':<14}{path}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0, or 2 where an input cannot be used."""
    args = parser().parse_args(argv)
    try:
        run(args)
    except UsageError as error:
        sys.stderr.write(f"moe_classic: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
