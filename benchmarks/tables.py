"""Write the tables of README.md and PAGES from results/*.csv: ``python benchmarks/tables.py``.

A table stands between ``<!-- table: name -->`` and ``<!-- end -->``; the name is a key of
``TABLES``. Everything else on the page is prose and stays as it is. Under a table stand the
processors on which its file says that its figures were taken.
"""

import re
import string
from pathlib import Path

import pandas as pd
from _results import RESULTS, read

README = Path(__file__).with_name("README.md")
#: Other pages that show some of the tables.
PAGES = (README.parents[1] / "docs" / "routers.md",)
MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


# ------------------------------------------------------------------------- cells


def cell(row, template):
    """A template such as ``"{nll:.3f} ({nll_worst:.3f})"`` filled in.

    Parts between spaces whose figures are missing are left out.
    """
    parts = []
    for part in template.split(" "):
        fields = [f.split("[")[0] for _, f, _, _ in string.Formatter().parse(part) if f]
        if not any(pd.isna(row[f]) for f in fields):
            parts.append(part.format_map(row))
    return " ".join(parts)


def span(row, form):
    """Least and most of several runs, or the one figure that both are."""
    least, most = (format(row[k], form).removesuffix("%") for k in ("least", "most"))
    unit = " %" if form.endswith("%") else ""
    return least + unit if least == most else f"{least} to {most}{unit}"


def plain(frame, columns):
    """A row of cells for each row of the frame; ``columns`` maps heads to templates."""
    body = [[cell(row, t) for t in columns.values()] for _, row in frame.iterrows()]
    return list(columns), body


def dotted(frame, columns, *bare):
    """Like :func:`plain`, with columns written as .05, as in the papers."""
    head, body = plain(frame, columns)
    places = [head.index(name) for name in bare]
    for row in body:
        for j in places:
            row[j] = row[j].removeprefix("0")
    return head, body


def crossed(frame, what, over, cells):
    """One row for each value of ``over``, one column for each value of ``what``."""
    rows = {value: group.set_index(what) for value, group in frame.groupby(over, sort=False)}
    body = []
    for value, group in rows.items():
        body.append([value, *(text(group) for text in cells.values())])
    return [over, *cells], body


def of(what, text):
    """Cell of one measured thing, empty where it was not measured."""
    return lambda group: text(group.loc[what]) if what in group.index else ""


# ------------------------------------------------------------------------- tables

EM = "EM iteration / GaussianMixture"
TWO, FREE = "speed-up of two threads", "speed-up of two threads, free-threaded"


def _two_threads(group):
    """Gain of two threads, and without the interpreter's lock."""
    if TWO not in group.index:
        return ""
    text = span(group.loc[TWO], ".3g")
    return f"{text}; free-threaded {span(group.loc[FREE], '.3g')}" if FREE in group.index else text


def iteration():
    """What one iteration costs."""
    frame = read("speed")
    known = frame.loc[frame.what == EM, "shape"]
    frame = frame[frame["shape"].isin(known)]
    frame = frame.rename(columns={"shape": "rows, features, experts"})
    cells = {
        "/ GaussianMixture": of(EM, lambda r: span(r, ".2f")),
        "roofline reached": of("roofline / EM iteration", lambda r: span(r, ".0%")),
        "two threads": _two_threads,
        "two processes": of("speed-up of two processes, half each", lambda r: span(r, ".1f")),
    }
    return crossed(frame, "what", "rows, features, experts", cells)


WHOLE = (
    "`MoERegressor`, one start, to 1e-6 nats",
    "`GaussianMixture` on (X, y), ten starts",
    "gmr on (X, y), one start",
    "`LogisticRegression` on the true labels",
)


def fits():
    """Whole fits beside others."""
    frame = read("speed").query("what in @WHOLE", local_dict={"WHOLE": WHOLE})

    def ratio(row):
        return span(row, ".2f" if row.most < 1 else ".0f" if row.least >= 10 else ".1f")

    cells = {f"{n} rows": of(f"{n}, 10, 4", ratio) for n in ("1,000", "100,000")}
    head, body = crossed(frame.rename(columns={"what": "system"}), "shape", "system", cells)
    return ["", *head[1:]], body


def jobs():
    """One job and two."""
    frame = read("speed")
    two = frame.loc[frame["shape"] == "processes there", "what"]
    frame = frame[frame.what.isin(two)].rename(columns={"what": "fit"})
    cells = {
        "one job, s": of("one job", lambda r: span(r, ".2g")),
        "two jobs": of("two jobs", lambda r: span(r, ".1f")),
        "processes there": of("processes there", lambda r: span(r, ".1f")),
    }
    return crossed(frame, "shape", "fit", cells)


def solvers():
    """Passes of the ways to climb."""
    frame = read("solvers")
    names = frame.solver.unique()
    return crossed(
        frame,
        "solver",
        "data",
        {name: of(name, lambda r: cell(r, "{passes:.0f} ({ms:.0f})")) for name in names},
    )


def small_fits():
    """Default fits on few rows, an earlier version beside this one, and two threads."""
    frame = read("small_fits")
    cells = {
        name: of(f"{name}, 1 thread", lambda r: f"{r.ratio:.3f} ({r.ms:.0f})")
        for name in ("before", "now")
    }
    cells["now, two threads"] = of("now, 2 threads", lambda r: f"{r.ratio:.3f}")
    return crossed(frame, "version", "fit", cells)


def digits():
    """Means over the seeds, and each of them."""
    frame = read("digits").query("folds == 'stratified'")
    frame = frame.assign(seed=frame.seed.astype(str))

    def each(column):
        def text(group):
            seeds = ", ".join(f"{v:.3f}" for v in group.drop("all")[column])
            return f"{group.loc['all', column]:.3f} ({seeds})"

        return text

    cells = {
        "log loss (each seed)": each("log_loss"),
        "accuracy (each seed)": each("accuracy"),
        "CPU seconds of a fit": of("all", lambda r: f"{r.seconds:.2g}"),
    }
    return crossed(frame, "seed", "system", cells)


def robot_arm(part, columns):
    """A part of the robot arm's figures, errors written as the paper does."""
    frame = read("robot_arm").query("part == @part", local_dict={"part": part})
    bare = [h for h in columns if h in {"relative error", "of the sum", "paper"}]
    return dotted(frame, columns, *bare)


ERRORS = {"relative error": "{error:.3f}", "of the sum": "{error_of_sum:.3f}"}


def sparse_step():
    """A step of training a net of experts over one of a dense net."""
    frame = read("sparse_cost").query("what == 'step over dense step'")
    place = frame.setting.str.extract(r"(?P<type>\w+) E (?P<E>\d+) R (?P<R>\d+) h (?P<h>\d+)")
    frame = frame.assign(
        net=place.type + ", " + place.E + " experts", size=place.R + ", " + place.h
    )
    cells = {size: of(size, lambda r: f"{r.value:.2f}") for size in frame["size"].unique()}
    head, body = crossed(frame, "size", "net", cells)
    return ["R, hidden units", *head[1:]], body


def sparse_fit():
    """Default fits of the regimes beside others."""
    frame = read("sparse_cost").query("what == 'fit of 32 regimes'")
    cells = {
        "CPU seconds": of("CPU s", lambda r: f"{r.value:.1f}"),
        "R² on new rows": of("R2", lambda r: f"{r.value:.3f}".removeprefix("0")),
    }
    head, body = crossed(frame, "unit", "setting", cells)
    return ["", *head[1:]], body


def sparse_memory():
    """Most memory that fits had beside their rows."""
    frame = read("sparse_cost").query("what == 'peak memory of fit'")
    place = frame.setting.str.extract(r"(?P<type>\w+) E (?P<E>\d+) n (?P<n>\d+)")
    names = place.type + ", " + place.E + " experts, " + place.n.astype(int).map("{:,}".format)
    cells = {
        "MB": of("MB", lambda r: f"{r.value:.0f}"),
        "share of what is expected": of("share", lambda r: f"{r.value:.2f}".removeprefix("0")),
    }
    head, body = crossed(frame.assign(setting=names + " rows"), "unit", "setting", cells)
    return ["", *head[1:]], body


def sparse_worth(stop="own"):
    """Scores and times of six tasks, means over seeds."""
    frame = read("sparse_worth").query("stop == @stop or model == 'sparse'")
    frame = frame.groupby(["task", "model"], sort=False)[["score", "cpu"]].mean()
    frame = frame.reset_index()

    def both(row):
        return f"{row.score:.3f} ({row.cpu:.1f} s)"

    head, body = crossed(frame, "model", "task", {m: of(m, both) for m in frame.model.unique()})
    return ["task (new rows: R² or accuracy)", *head[1:]], body


def sparse_routers():
    """Every router on one task, means over seeds, best first."""
    frame = read("sparse_routers").drop(columns="processor").groupby("router").mean()
    frame = frame.sort_values("score", ascending=False).reset_index()
    return plain(
        frame,
        {
            "router": '`"{router}"`',
            "R²": "{score:.2f}",
            "CPU seconds": "{cpu:.1f}",
            "entropy of the load": "{load_entropy:.2f}",
            "pairs dropped": "{dropped:.0%}",
            "numbers a row meets": "{active:,.0f}",
        },
    )


def lasso():
    """Figures of penalised fits."""
    names = {
        "support": "support exactly right",
        "cost": "a path of 50 penalties over a fit",
        "objective": "largest lead of a slow program",
        "conditions": "largest violation of the conditions of optimality",
        "one expert": "largest difference of a slope from scikit-learn",
    }
    forms = {
        "support": "{figure:.0f} of {of:.0f}",
        "cost": "{figure:.1f}, {of:.0f} sets",
        "objective": "{figure:+.0e}, {of:.0f} sets",
        "conditions": "{figure:.0e}, {of:.0f} fits",
        "one expert": "{figure:.0e}, {of:.0f} fits",
    }
    frame = read("lasso")
    body = [
        [names[row.what], row.case, forms[row.what].format(**row)] for _, row in frame.iterrows()
    ]
    return ["what", "case", "figure"], body


def bayes():
    """What is asked of posteriors, one row a figure."""
    forms = {
        "number": "{figure:.0f} of {of:.0f}",
        "bound": "{figure:.0e}, {of:.0f} problems",
        "coverage": "{figure:.1%} of {of:.0f}",
        "sobol": "{figure:.2g}",
    }
    heads = {
        "number": "eight experts end at three",
        "bound": "largest fall of the bound",
        "coverage": "intervals that hold the truth",
        "sobol": "largest error of a Sobol index",
    }
    frame = read("bayes")
    rows = [row for _, row in frame.iterrows() if row.what in forms]
    body = [[heads[r.what], r.case, forms[r.what].format(**r).replace("%", " %")] for r in rows]
    return ["what", "case", "figure"], body


def bayes_scores(what):
    """Held-out scores of posteriors beside a sampler and maximum likelihood."""
    columns = {
        "set": "{case}",
        "variational": "{figure:.3f}",
        "Gibbs": "{gibbs:.3f}",
        "from the fit": "{from_fit:.3f}",
        "from random": "{from_random:.3f}",
        "by BIC": "{bic:.3f}",
        "+-": "{error:.3f}",
        "experts": "{K:.1f}",
    }
    return plain(read("bayes").query("what == @what"), columns)


TABLES = {
    "sparse_step": sparse_step,
    "sparse_fit": sparse_fit,
    "sparse_memory": sparse_memory,
    "sparse_worth": sparse_worth,
    "sparse_worth_time": lambda: sparse_worth("time"),
    "sparse_routers": sparse_routers,
    "iteration": iteration,
    "fits": fits,
    "jobs": jobs,
    "small_fits": small_fits,
    "solvers": solvers,
    "digits": digits,
    "friedman": lambda: plain(
        read("friedman"),
        {
            "system": "{system}",
            "R^2": "{r2:.4f} ({r2_worst:.4f})",
            "mean negative log density": "{nll:.3f} ({nll_worst:.3f})",
            "CPU seconds of a fit": "{seconds:.1f}",
        },
    ),
    "moves": lambda: moves(),
    "untidy_scales": lambda: plain(
        read("untidy_scales"),
        {
            "data": "{kind}",
            "case": "{case}",
            "figure": "{figure}",
            "before": "{before:.6g}",
            "after": "{after:.6g}",
            "right": "{right:.6g}",
            "fresh samples": "{fresh:.6g}",
            "right there": "{fresh_right:.6g}",
        },
    ),
    "jacobs_vowels": lambda: plain(
        read("jacobs_vowels"),
        {
            "system": "{system}",
            "epochs": "{epochs:.0f}",
            "SD": "{sd:.0f}",
            "train / test %": "{train:.1f} / {test:.1f}",
            "epochs in the paper": "{paper:.0f}",
        },
    ),
    "lasso": lasso,
    "bayes": bayes,
    "bayes_scores": lambda: bayes_scores("scores"),
    "bayes_classes": lambda: bayes_scores("classes"),
    "targets": lambda: plain(
        read("families").query("family != 'gaussian'"),
        {"experts": "{family}", "rows, features, experts": "{shape}", "ratio": "{ratio:.1f}"},
    ),
    "family_fits": lambda: family_fits(),
    "groups": lambda: plain(
        read("groups"),
        {
            "rows, of a subject": "{rows:,}, {a_subject}",
            "features, experts": "{features}, {experts}",
            "gate, family": "{gate}, {family}",
            "ratio": "{ratio:.2f}",
        },
    ),
    "sparse_rows": lambda: plain(
        read("sparse_rows").eval("percent = 100 * density"),
        {
            "rows, features": "{rows:,}, {features:,}",
            "entries there %": "{percent:g}",
            "experts": "{experts} {family}, {gate} gate",
            "iteration, ms": "{pass_ms:.0f}",
            "laid out / sparse": "{ratio:.1f}",
            "whole fits": "{fit_ratio:.1f}",
            "memory": "{memory_ratio:.0f}",
        },
    ),
    "groups_found": lambda: plain(
        read("groups_found").eval("percent = 100 * coverage"),
        {
            "fit": "{fit}",
            "sets": "{sets}",
            "rows in their class": "{agreement:.3f}",
            "coverage %": "{percent:.1f}",
        },
    ),
    "missing": lambda: plain(
        read("missing"),
        {
            "data": "{data}",
            "missing values": "{missing}",
            "splits": "{splits}",
            "log score": "{log_score:.3f}",
            "squared error": "{error:.3f}",
            "above means": "{above}",
        },
    ),
    "missing_cost": lambda: plain(
        read("missing_cost"),
        {
            "rows": "{rows:,}",
            "features": "{features}",
            "patterns": "{patterns}",
            "ratio": "{ratio:.1f}",
        },
    ),
    "footprint": lambda: plain(
        read("footprint"),
        {
            "version": "{version}",
            "the package": "{package:.2f}",
            "an estimator": "{estimator:.2f} ({estimator_seconds:.1f} s)",
            "wheel, kB": "{wheel:.0f}",
        },
    ),
    "wald": lambda: plain(
        read("wald"),
        {
            "hypothesis": "{hypothesis}",
            "rows": "{n}",
            "sets": "{sets}",
            "Wald": "{wald:.3f}",
            "likelihood ratio": "{ratio:.3f}",
            "agree": "{same:.3f}",
        },
    ),
    "effects": lambda: plain(
        read("effects").eval("ratio = delta / spread"),
        {
            "answer": "{answer}",
            "feature": "{feature}",
            "effect": "{effect:.3f}",
            "from refits": "{refits:.0e}",
            "spread": "{spread:.4f}",
            "delta / spread": "{ratio:.2f}",
            "covered": "{covered:.1%}",
            "bootstrap / delta": "{bootstrap:.2f}",
        },
    ),
    "trust_region": lambda: plain(
        read("trust_region"),
        {
            "experts": "{experts}",
            "EM first": "{em_passes}",
            "parameters": "{parameters}",
            "starts": "{starts}",
            "passes, here": "{own_passes:g}",
            "trust-exact": "{scipy_passes:g}",
            "time over that here": "{seconds_ratio:.2f}",
            "here higher": "{own_higher}",
            "trust-exact higher": "{scipy_higher}",
        },
    ),
    "delta": lambda: plain(
        read("delta"),
        {
            "parameters": "{parameters}",
            "asked, here": "{own_asked}",
            "by scipy": "{scipy_asked}",
            "error, here": "{own_error:.0e}",
            "of scipy": "{scipy_error:.0e}",
        },
    ),
    "coverage": lambda: plain(
        read("coverage").query("parameter == 'all'").eval("percent = 100 * coverage"),
        {
            "information": "{kind}",
            "sets": "{sets}",
            "rows": "{rows}",
            "coverage %": "{percent:.1f}",
        },
    ),
    "choose_k": lambda: plain(
        read("choose_k"),
        {
            "experts": "{true}",
            "criterion": "{criterion}",
            "sets": "{sets}",
            "chosen right": "{right}",
        },
    ),
    "beyond": lambda: plain(
        read("beyond").reindex(
            columns=["rows", "features", "experts", "cpu", "threads", "processes", "fit", "same"]
        ),
        {
            "rows, features, experts": "{rows:,}, {features}, {experts}",
            "by CPU time": "{cpu:.2f}",
            "two threads": "{threads:.2f}",
            "two processes": "{processes:.2f}",
            "whole fit": "{fit:.2f}",
            "same digits": "{same}",
        },
    ),
    "memory": lambda: plain(
        read("memmap_memory").query("gigabytes == 4"),
        {"what is counted": "{what}", "peak": "{megabytes:.0f} MB"},
    ),
    "meta_pi": lambda: plain(
        read("meta_pi").query("experts == 'logistic'"),
        {"system": "{system}", "error %": "{error:.2f}", "CPU s": "{seconds:.2f}"},
    ),
    "meta_pi_withheld": lambda: plain(
        read("meta_pi_withheld").query("experts == 'logistic'"),
        {
            "speaker": "{speaker}",
            "own model": "{own:.2f}",
            "all experts": "{every:.2f}",
            "without its expert": "{without:.2f}",
            "never heard": "{unheard:.2f}",
            "best other model": "{best_other:.2f}",
        },
    ),
    "hard_small": lambda: hard_svm(20_000, {"paper, test %": "{paper:.1f}"}),
    "hard_large": lambda: hard_svm(100_000, {}),
    "robot_arm": lambda: robot_arm(
        "table",
        {
            "system": "{system}",
            **ERRORS,
            "epochs": "{epochs:.0f}",
            "seconds": "{seconds:.1f}",
            "paper": "{paper:.2f}",
            "paper's epochs": "{paper_epochs:.0f}",
        },
    ),
    "robot_arm_depth": lambda: robot_arm(
        "depth", {"shape": "{system}", **ERRORS, "seconds": "{seconds:.1f}"}
    ),
    "robot_arm_cost": lambda: plain(
        read("robot_arm_cost").query("rows == 15000"),
        {"leaves": "{leaves}", "seconds an epoch": "{seconds:.3f}"},
    ),
    "untidy_reports": lambda: untidy_reports(),
    "stopping": lambda: stopping(),
    "command": lambda: command(),
    "checks": lambda: plain(
        read("stopping").query("part == 'checks'"), {"estimator": "`{case}`", "CPU s": "{cost:.2g}"}
    ),
    "robot_arm_friedman": lambda: dotted(
        read("robot_arm_friedman"),
        {
            "grown by": "{system}",
            "NLL": "{nll:.3f}",
            "R2": "{r2:.4f}",
            "experts": "{experts:.0f}",
            "seconds": "{seconds:.1f}",
        },
        "R2",
    ),
}


def hard_svm(rows, more):
    """Mixtures of support vector machines at one size; a run that was stopped has no errors."""
    frame = read("hard_svm").query("rows == @rows", local_dict={"rows": rows})
    head, body = plain(
        frame,
        {
            "system": "{system}",
            "train error %": "{train:.1f}",
            "test error %": "{test:.1f}",
            "CPU s": "{seconds:.3g}",
            **more,
        },
    )
    for row, (_, measured) in zip(body, frame.iterrows(), strict=True):
        row[3] = f"> {row[3]}" if pd.isna(measured.test) else row[3]
    return head, body


def number(value):
    """A figure with six digits, or that there is none."""
    return "none" if pd.isna(value) else f"{value:.6g}"


def moves():
    """What both rules of moves end at, side by side, and the means."""
    frame = read("moves").pivot(index="seed", columns="rule", values=["sample", "nll"])
    frame.loc["mean"] = frame.mean()
    body = [
        [str(seed)]
        + [f"{row['sample', rule]:.1f}" for rule in ("first", "best")]
        + [f"{row['nll', rule]:.4f}" for rule in ("first", "best")]
        + [f"{row['nll', 'best'] - row['nll', 'first']:+.4f}"]
        for seed, row in frame.iterrows()
    ]
    heads = ["height on the sample, first", "best", "loss on new rows, first", "best", "more"]
    return ["data set", *heads], body


def untidy_reports():
    """Right values beside those found before and after, and both on fresh samples, by case."""
    frame = read("untidy_reports")
    body = []
    for (_, what), rows in frame.groupby(["group", "case"], sort=False):
        found = rows.set_index("version").found
        right = rows.set_index("version").right
        cells = [right.get("after"), *(found.get(v) for v in ("before", "after"))]
        cells += [right.get("fresh"), found.get("fresh")]
        body.append([what, *map(number, cells)])
    return ["case", "right", "before", "after", "right, fresh samples", "found there"], body


def stopping():
    """Cost, and loss of rows held out, before and now, one row a case."""
    frame = read("stopping").query("part == 'fits'")
    body = []
    for case, rows in frame.groupby("case", sort=False):
        found = rows.set_index("version").reindex(["before", "now"])
        costs = ["" if pd.isna(v) else f"{v:.2g}" for v in found.cost]
        losses = ["" if pd.isna(v) else f"{v:.3f}" for v in found.loss]
        body.append([case, *costs, *losses])
    return ["fit", "before", "now", "loss before", "loss now"], body


def family_fits():
    """Coverage and starts by family, one row each; wrapped families last."""
    frame = read("family_coverage").merge(
        read("family_starts")[["family", "sets", "reached"]],
        how="left",
        on="family",
        suffixes=("", " of starts"),
    )
    wrapped = frame.family.str.contains(" ")
    body = []
    for _, row in pd.concat([frame[~wrapped], frame[wrapped]]).iterrows():
        least = f"{100 * row['least']:.1f}, {row['least of']}"
        reached = (
            "" if pd.isna(row.reached) else f"{row.reached:.0f} of {row['sets of starts']:.0f}"
        )
        body.append([row.family, f"{row.intervals}", f"{100 * row.coverage:.1f}", least, reached])
    return ["experts", "intervals", "coverage %", "least, of a parameter", "best reached"], body


def command():
    """CPU seconds of the command line."""
    frame = read("stopping").query("part == 'command'")
    return plain(frame, {"command": "{case}", "CPU s": "{cost:.2g}"})


#: File that a table is read from, where its name is another.
SOURCE = {
    "bayes_scores": "bayes",
    "bayes_classes": "bayes",
    "targets": "families",
    "command": "stopping",
    "family_fits": "family_coverage",
    "checks": "stopping",
    "iteration": "speed",
    "fits": "speed",
    "jobs": "speed",
    "memory": "memmap_memory",
    "hard_small": "hard_svm",
    "hard_large": "hard_svm",
    "robot_arm_depth": "robot_arm",
    "sparse_step": "sparse_cost",
    "sparse_fit": "sparse_cost",
    "sparse_memory": "sparse_cost",
    "sparse_worth_time": "sparse_worth",
}


def rendered(name):
    """Lines of a table, and the processors that its file names."""
    head, body = TABLES[name]()
    lines = [head, ["---"] * len(head), *body]
    text = "".join(f"| {' | '.join(row)} |\n" for row in lines)
    text = text.replace("| --- |", "|---|").replace(" --- |", "---|").replace("|  |", "| |")
    text = text.replace("|  |", "| |")
    makers = ", ".join(read(SOURCE.get(name, name)).processor.dropna().unique())
    return f"{text}\n{makers}\n" if makers else text


def page(text):
    """The page with its tables written anew."""
    return MARKED.sub(lambda m: f"{m[1]}{rendered(m[2])}{m[3]}", text)


def main():
    missing = set(TABLES) - {name for _, name, _ in MARKED.findall(README.read_text("utf-8"))}
    if missing:
        raise SystemExit(f"README.md has no place for {sorted(missing)}.")
    for path in (README, *PAGES):
        path.write_text(page(path.read_text("utf-8")), "utf-8")
    print(f"{len(TABLES)} tables from {RESULTS}")


if __name__ == "__main__":
    main()
