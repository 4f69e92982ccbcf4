"""``python -m moe_classic``: compare mixtures of experts on a table, report the best, draw it.

Every pair of expert family and number of experts is fitted to all rows (BIC) and cross-validated
(log score: mean log density of a row that was held out, in nats), and told as it comes. Without a
CSV file the bundled tone data serve as an example. ``python -m moe_classic predict`` asks a saved
model about new rows.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from moe_classic._cli import (
    MOST_CLASSES,
    TASKS,
    Candidate,
    Table,
    UsageError,
    all_families,
    check_families,
    check_rows,
    chosen_families,
    compare,
    csv_table,
    predict_parser,
    predict_rows,
    prepare,
    ranking,
    refitted,
    sample_of,
    save,
    say,
    suited_families,
    tone_table,
)
from moe_classic.gates import GATES

#: What ``--quick`` changes, unless it is said.
_QUICK = {"folds": 3, "n_init": 3, "n_experts": [1, 2, 3], "sample": 2000}
#: Exit status after an interrupt from the keyboard, as shells have it.
_INTERRUPTED = 130


# ------------------------------------------------------------------------- arguments


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m moe_classic",
        description="Compare mixtures of experts on a table by BIC and cross-validated log score; "
        "print the ranking and the best model's coefficients; save picture, model and tables. "
        "Without a CSV file: the bundled tone data. Interrupted, it leaves what it has.",
        epilog="python -m moe_classic predict MODEL.joblib NEW.csv: predictions and quantiles of "
        "new rows; see python -m moe_classic predict --help.",
    )
    _add_table(p)
    _add_models(p)
    _add_ranking(p)
    p.add_argument(
        "--output",
        type=Path,
        default=Path("moe_classic_output"),
        metavar="DIR",
        help="folder for picture, model and tables (default: %(default)s)",
    )
    return p


def _add_table(p: argparse.ArgumentParser) -> None:
    """Arguments that say which table is read, and what of it."""
    p.add_argument("csv", nargs="?", help="table with a header line and numeric columns")
    p.add_argument("--target", metavar="COLUMN", help="column to predict; needed with a CSV file")
    p.add_argument(
        "--features", nargs="+", metavar="COLUMN", help="columns to predict from (default: others)"
    )
    p.add_argument("--sep", help="what separates columns (\\t: a tab; default: as the header)")
    p.add_argument(
        "--task",
        default="auto",
        choices=["auto", *TASKS],
        help="what the target is; auto: classification for text, for true and false, and for up "
        f"to {MOST_CLASSES} distinct whole numbers",
    )


def _add_models(p: argparse.ArgumentParser) -> None:
    """Arguments that say what is compared."""
    names = all_families()
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


def _add_ranking(p: argparse.ArgumentParser) -> None:
    """Arguments that say how they are fitted and ranked, and at what cost."""
    p.add_argument("--folds", type=int, default=5, help="parts of the cross-validation; default: 5")
    p.add_argument("--n-init", type=int, default=10, help="starts of every fit; default: 10")
    p.add_argument("--seed", type=int, default=0, help="seed of starts and folds; default: 0")
    p.add_argument(
        "--rank-by", default="log-score", choices=["log-score", "bic"], help="default: log-score"
    )
    p.add_argument(
        "--sample",
        type=int,
        default=5000,
        metavar="ROWS",
        help="rank on so many rows, drawn at random, where there are more; the best is fitted to "
        "all; 0: rank on all (default: 5000)",
    )
    p.add_argument(
        "--jobs", type=int, default=1, help="models tried at a time; -1: one a processor"
    )
    p.add_argument(
        "--quick",
        action="store_true",
        help="a first look: --folds 3 --n-init 3 --n-experts 1 2 3 --sample 2000 unless given",
    )


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, with what ``--quick`` makes of those that are not given."""
    p = parser()
    if p.parse_args(argv).quick:
        p.set_defaults(**_QUICK)
    return p.parse_args(argv)


def table_for(args: argparse.Namespace) -> Table:
    """The rows that the arguments ask for; all arguments are checked."""
    limits = {"folds": 2, "n_init": 1, "seed": 0, "sample": 0}
    for name, low in limits.items():
        if getattr(args, name) < low:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} {getattr(args, name)} must be at least {low}.")
    if args.jobs == 0:
        raise UsageError("--jobs 0 must be a number of processes, or -1 for one a processor.")
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


def ranked_on(table: Table, args: argparse.Namespace) -> Table:
    """The rows that models are ranked on."""
    if not args.sample:
        return table
    few = sample_of(table, args.sample, args.seed, args.folds)
    check_rows(few, most_experts=max(args.n_experts), folds=args.folds)
    return few


# ------------------------------------------------------------------------- reporting


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


def run(args: argparse.Namespace) -> int:
    """Everything that the command does; the exit status."""
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
        say(f"{why} Families compared: {', '.join(chosen_families(table, args))}.")
    few = ranked_on(table, args)
    m = len(few.y)
    rows = "all rows" if m == n else f"{m} of the rows, drawn with --seed {args.seed},"
    say(f"Comparing by BIC on {rows} and by log score in {args.folds}-fold cross-validation.")
    say()
    compared = compare(few, args)
    say()
    if compared.interrupted:
        say("Interrupted: what follows is about the models above.")
    frame, order = ranking(compared.found, args.rank_by)
    best = order[0]
    if m < n and not compared.interrupted:
        best = refitted(best, table)
        say()
    report(frame, [best, *order[1:]], args.rank_by)
    files = save(table, frame, best, args.output)
    say()
    for what, path in files.items():
        say(f"{what + ':':<14}{path}")
    return _INTERRUPTED if compared.interrupted else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit status.

    0; 2 where an input cannot be used, 1 where nobody reads the output, 130 after an interrupt.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        if argv[:1] == ["predict"]:
            predict_rows(predict_parser().parse_args(argv[1:]))
            return 0
        return run(arguments(argv))
    except UsageError as error:
        sys.stderr.write(f"moe_classic: {error}\n")
        return 2
    except BrokenPipeError:
        # Whoever read the output has seen enough, as "head" does: end without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("moe_classic: interrupted before the first result.\n")
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
