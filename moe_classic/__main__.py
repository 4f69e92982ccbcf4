"""``python -m moe_classic``: compare mixtures of experts on a table, report the best, draw it.

Every pair of expert family and number of experts is fitted to all rows (BIC) and cross-validated
(log score: mean log density of a row that was held out, in nats). Without a CSV file the bundled
tone data serve as an example.
"""

from __future__ import annotations

import argparse
import os
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

from moe_classic._cli import (
    MOST_CLASSES,
    Table,
    UsageError,
    check_rows,
    csv_table,
    draw,
    fitting_families,
    suited_families,
    tone_table,
)
from moe_classic.estimators import MoEClassifier, MoERegressor
from moe_classic.experts import EXPERTS
from moe_classic.gates import GATES

from ._typing import Floats

#: For each task its estimator.
_TASKS: dict[str, Any] = {"regression": MoERegressor, "classification": MoEClassifier}


#: What may go wrong while a picture is drawn.
_DRAWING = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
#: How text begins that a spreadsheet would compute.
_FORMULA = ("=", "+", "-", "@")


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
    """

    model: Any
    bic: float
    scores: Floats
    interpolating: int
    note: str

    @property
    def title(self) -> str:
        """The model in words."""
        K, family = self.model.n_experts, self.model.expert
        return f"1 {family} expert" if K == 1 else f"{K} {family} experts, {self.model.gate} gate"


# ------------------------------------------------------------------------- arguments


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m moe_classic",
        description="Compare mixtures of experts on a table by BIC and cross-validated log score; "
        "print the ranking and the best model's coefficients; save picture, model and tables. "
        "Without a CSV file: the bundled tone data.",
    )
    p.add_argument("csv", nargs="?", help="table with a header line and numeric columns")
    p.add_argument("--target", metavar="COLUMN", help="column to predict; needed with a CSV file")
    p.add_argument(
        "--features", nargs="+", metavar="COLUMN", help="columns to predict from (default: others)"
    )
    p.add_argument("--sep", help="what separates columns (\\t: a tab; default: as the header)")
    p.add_argument(
        "--task",
        default="auto",
        choices=["auto", *_TASKS],
        help="what the target is; auto: classification for text, for true and false, and for up "
        f"to {MOST_CLASSES} distinct whole numbers",
    )
    names = sorted(EXPERTS)
    p.add_argument(
        "--experts",
        nargs="+",
        choices=names,
        metavar="FAMILY",
        help=f"families to compare, of: {', '.join(names)} (default: those that suit the target; "
        "for real numbers gaussian laplace student_t, for classes multinomial)",
    )
    p.add_argument(
        "--n-experts", nargs="+", type=int, default=[1, 2, 3, 4], metavar="K", help="numbers to try"
    )
    p.add_argument("--gate", default="softmax", choices=sorted(GATES), help="default: softmax")
    p.add_argument("--folds", type=int, default=5, help="parts of the cross-validation; default: 5")
    p.add_argument("--n-init", type=int, default=10, help="starts of every fit; default: 10")
    p.add_argument("--seed", type=int, default=0, help="seed of starts and folds; default: 0")
    p.add_argument(
        "--rank-by", default="log-score", choices=["log-score", "bic"], help="default: log-score"
    )
    p.add_argument(
        "--output",
        type=Path,
        default=Path("moe_classic_output"),
        metavar="DIR",
        help="folder for picture, model and tables (default: %(default)s)",
    )
    return p


def table_for(args: argparse.Namespace) -> Table:
    """The rows that the arguments ask for; all arguments are checked."""
    limits = {"folds": 2, "n_init": 1, "seed": 0}
    for name, low in limits.items():
        if getattr(args, name) < low:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} {getattr(args, name)} must be at least {low}.")
    if min(args.n_experts) < 1:
        raise UsageError(f"--n-experts {min(args.n_experts)} must be at least 1.")
    if args.csv is None:
        for name in ("target", "features", "sep"):
            if getattr(args, name) is not None:
                raise UsageError(f"--{name} says how to read a CSV file; name the file, too.")
        if args.task == "classification":
            raise UsageError("--task classification needs a CSV file; the tone data have none.")
        table = tone_table()
    else:
        sep = args.sep
        options = {"target": args.target, "features": args.features, "task": args.task}
        table = csv_table(args.csv, sep=sep, **options)
    check_rows(table, most_experts=max(args.n_experts), folds=args.folds)
    return table


# ------------------------------------------------------------------------- comparing


def families(table: Table, args: argparse.Namespace) -> list[str]:
    """Expert families to compare."""
    return list(dict.fromkeys(args.experts or suited_families(table.y, table.task).families))


def check_families(table: Table, args: argparse.Namespace) -> None:
    """Raise if a family does not describe the target."""
    right = fitting_families(table.y, table.task)
    for family in families(table, args):
        if family not in right:
            raise UsageError(
                f"{family} experts do not describe the {table.task} target {table.target!r}; "
                f"choose --experts of: {', '.join(right)}."
            )


def candidates(table: Table, args: argparse.Namespace) -> Iterator[Any]:
    """All models, one after the other, not fitted."""
    estimator = _TASKS[table.task]
    for K in sorted(set(args.n_experts)):
        for family in families(table, args):
            options = {"gate": args.gate, "n_init": args.n_init, "random_state": args.seed}
            yield estimator(K, expert=family, **options)


def fitted(table: Table, args: argparse.Namespace) -> list[Candidate]:
    """All models that could be fitted; what became of the others is said, unless it was all."""
    found, failed = [], []
    for model in candidates(table, args):
        try:
            found.append(tried(model, table, args))
        except UsageError as error:
            failed.append(error)
    if not found:
        raise failed[0]
    for reason in failed:
        say(f"Left out: {reason}")
    if failed:
        say()
    return found


def tried(model: Any, table: Table, args: argparse.Namespace) -> Candidate:
    """A model fitted to all rows, and cross-validated."""
    splitter = StratifiedKFold if table.task == "classification" else KFold
    folds = splitter(args.folds, shuffle=True, random_state=args.seed)
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
        notes.append(f"{capped} of {args.folds} folds not converged")
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


# ------------------------------------------------------------------------- reporting


def say(text: str = "") -> None:
    """Write lines to standard output at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def report(frame: pd.DataFrame, order: list[Candidate], rank_by: str) -> None:
    """Print the ranking and the coefficients of the best model."""
    decimals = {"log_likelihood": 2, "bic": 2, "log_score": 4, "behind": 4, "behind_se": 4}
    formats = {name: f"{{:.{d}f}}".format for name, d in decimals.items()}
    shown = frame if frame.note.any() else frame.drop(columns="note")
    say(shown.reset_index().to_string(index=False, formatters=formats))
    say()
    say("log_score: mean log density of a held-out row, in nats; higher is better. behind: paired")
    say("difference to rank 1, with its standard error. bic: lower is better.")
    if frame.note.str.contains("interpolating").any():
        say("interpolating: experts that pass through their rows; ranked last.")
    say()
    say(f"Best by {rank_by.replace('-', ' ')}: {order[0].title}.")
    lowest = min(order, key=lambda c: c.bic)
    if lowest is not order[0]:
        say(f"Lowest BIC: {lowest.title}.")
    say()
    summary = order[0].model.summary()
    if order[0].model.n_experts == 1:
        summary = summary.drop(index="gate", level="part")
    say(summary.to_string(float_format="{:.5g}".format, na_rep=""))


def save(table: Table, frame: pd.DataFrame, best: Candidate, folder: Path) -> dict[str, Path]:
    """Write picture, model and tables; where each went."""
    names = {
        "picture": "picture.png",
        "model": "model.joblib",
        "ranking": "ranking.csv",
        "coefficients": "coefficients.csv",
    }
    files = {what: folder / name for what, name in names.items()}
    try:
        # What took longest is written first, the picture last.
        joblib.dump(best.model, files["model"])
        harmless(frame).to_csv(files["ranking"])
        harmless(best.model.summary()).to_csv(files["coefficients"])
        _picture(table, best, files["picture"])
    except OSError as error:
        raise _not_written(folder, error) from None
    except _DRAWING as error:
        files.pop("picture")
        detail = " ".join(str(error).split())[:200]
        say(f"The picture could not be drawn ({type(error).__name__}: {detail}).")
    return files


def _picture(table: Table, best: Candidate, path: Path) -> None:
    """Draw the best model into a file."""
    title = f"{Path(table.name).name}: {best.title}"
    figure = draw(
        best.model, table.X, table.y, target=table.target, labels=table.labels, title=title
    )
    figure.savefig(path, dpi=150)


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with labels that no spreadsheet takes for formulas."""

    def plain(label: Any) -> Any:
        return f"'{label}" if isinstance(label, str) and label.startswith(_FORMULA) else label

    labels = [
        axis.map(lambda key: tuple(map(plain, key)) if isinstance(key, tuple) else plain(key))
        for axis in (frame.index, frame.columns)
    ]
    names = [frame.index.names, frame.columns.names]
    index, columns = (axis.set_names(own) for axis, own in zip(labels, names, strict=True))
    return frame.set_axis(index, axis=0).set_axis(columns, axis=1)


def _not_written(folder: Path, error: OSError) -> UsageError:
    """The error of a folder that takes no files."""
    return UsageError(f"cannot write to --output {folder}: {error.strerror or error}.")


def prepare(folder: Path) -> None:
    """Make the folder before the work whose results it is for."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(folder, error) from None


def run(args: argparse.Namespace) -> None:
    """Everything that the command does."""
    table = table_for(args)
    check_families(table, args)
    prepare(args.output)
    n, p = table.X.shape
    seen = ", ".join(table.X.columns[:6]) + (", ..." if p > 6 else "")
    say(f"{table.name}: {n} rows, {table.task} of {table.target} on {seen}.")
    if table.task == "classification" and args.task == "auto" and table.y.dtype.kind in "iuf":
        say("Its few whole numbers are taken as classes; --task regression takes them as numbers.")
    if not args.experts:
        why = suited_families(table.y, table.task).why
        say(f"{why} Families compared: {', '.join(families(table, args))}.")
    say(f"Comparing by BIC on all rows and by log score in {args.folds}-fold cross-validation.")
    say()
    frame, order = ranking(fitted(table, args), args.rank_by)
    report(frame, order, args.rank_by)
    files = save(table, frame, order[0], args.output)
    say()
    for what, path in files.items():
        say(f"{what + ':':<14}{path}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0, 2 where an input cannot be used, 1 where nobody reads the output."""
    args = parser().parse_args(argv)
    try:
        run(args)
    except UsageError as error:
        sys.stderr.write(f"moe_classic: {error}\n")
        return 2
    except BrokenPipeError:
        # Whoever read the output has seen enough, as "head" does: end without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
