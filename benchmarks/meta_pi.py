"""Meta-Pi on six simulated speakers: ``python benchmarks/meta_pi.py [--experts logistic]``.

In the form of Hampshire & Waibel (1992): speakers 1 to 5 produce the same classes each in its own
way, the sixth lies between two of them. The first table compares the blend with one pooled model,
with every speaker's own model, and with an oracle that is told who speaks. The second withholds one
speaker's expert: the others' experts are to serve it.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from _results import add_output, keep
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from moe_classic import MetaPiClassifier
from moe_classic.datasets import make_speakers

N_TEST = 12_000
MODELS = {
    "logistic": LogisticRegression(),
    "mlp": MLPClassifier(8, alpha=1e-3, max_iter=500, random_state=0),
}


def error(truth, guess):
    """Wrong answers in percent."""
    return 100.0 * float(np.mean(truth != guess))


def oracle(experts, X, sources):
    """Answers of the expert of every row's own source."""
    guess = np.empty(len(X), dtype=int)
    for s, expert in enumerate(experts):
        guess[sources == s] = expert.predict(X[sources == s])
    return guess


def all_sources(model, train, test):
    """Errors in percent with all six experts, and CPU seconds to fit, by system."""
    X, y, sources = train
    X_test, y_test, sources_test = test
    out = {}

    def record(name, guess, seconds=np.nan):
        out[name, "error %"] = error(y_test, guess)
        out[name, "cpu s"] = seconds

    begun = time.process_time()
    pooled = clone(model).fit(X, y)
    record("one model, pooled", pooled.predict(X_test), time.process_time() - begun)
    begun = time.process_time()
    experts = [clone(model).fit(X[sources == s], y[sources == s]) for s in range(6)]
    seconds = time.process_time() - begun
    alone = [expert.predict(X_test) for expert in experts]
    row = "a speaker's model, on all speakers"
    out[row, "error %"] = np.mean([error(y_test, guess) for guess in alone])
    out[row, "cpu s"] = seconds
    mean = np.mean([expert.predict_proba(X_test) for expert in experts], axis=0)
    record("six models, equal weights", mean.argmax(axis=1), seconds)
    for name, options in {
        "Meta-Pi, constant gate (stacking)": {"gate": "constant"},
        "Meta-Pi, softmax": {},
        "Meta-Pi, normalised sigmoids": {"gate": "sigmoid"},
        "Meta-Pi, softmax, 8 hidden units": {"hidden_units": 8},
        "Meta-Pi, then all jointly": {"joint": True},
    }.items():
        begun = time.process_time()
        blend = MetaPiClassifier(model, random_state=0, **options).fit(X, y, sources=sources)
        record(name, blend.predict(X_test), time.process_time() - begun)
        if not options:
            record("Meta-Pi, softmax, `top_k=1`", blend.predict(X_test, top_k=1))
    record("oracle, told the speaker", oracle(experts, X_test, sources_test), seconds)
    return out


def withheld(model, train, test):
    """Errors in percent on one speaker whose expert is withheld, by speaker and system."""
    X, y, sources = train
    X_test, y_test, sources_test = test
    experts = [clone(model).fit(X[sources == s], y[sources == s]) for s in range(6)]
    out = {}
    for s in range(6):
        others = [FrozenEstimator(e) for k, e in enumerate(experts) if k != s]
        here, there = sources_test == s, sources != s
        truth, rows = y_test[here], X_test[here]
        knows = MetaPiClassifier(others, random_state=0).fit(X, y)
        never = MetaPiClassifier(others, random_state=0).fit(X[there], y[there])
        full = MetaPiClassifier([*map(FrozenEstimator, experts)], random_state=0).fit(X, y)
        row = f"speaker {s + 1}"
        out[row, "own model"] = error(truth, experts[s].predict(rows))
        out[row, "Meta-Pi, all experts"] = error(truth, full.predict(rows))
        out[row, "without its expert"] = error(truth, knows.predict(rows))
        out[row, "speaker never heard"] = error(truth, never.predict(rows))
        out[row, "best other model"] = min(error(truth, e.predict(rows)) for e in others)
    return out


def averaged(runs):
    """Mean over seeds, one row a system."""
    frame = pd.DataFrame([list(run.values()) for run in runs])
    frame.columns = pd.MultiIndex.from_tuples(list(runs[0]))
    table = frame.mean().unstack()
    order = list(dict.fromkeys(key[0] for key in runs[0]))
    columns = list(dict.fromkeys(key[1] for key in runs[0]))
    return table.loc[order, columns]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="data sets to average over")
    parser.add_argument("--rows", type=int, default=1800, help="training rows of six speakers")
    parser.add_argument("--experts", nargs="+", choices=list(MODELS), default=list(MODELS))
    add_output(parser)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1):
        report(options)


def save(label, first, second, folder):
    """Keep both tables."""
    names = {"error %": "error", "cpu s": "seconds"}
    rows = first.rename(columns=names).rename_axis("system").reset_index().assign(experts=label)
    keep("meta_pi", rows.to_dict("records"), ["experts", "system"], folder)
    second = second.set_axis(["own", "every", "without", "unheard", "best_other"], axis=1)
    speakers = [f"{s + 1}" for s in range(5)] + ["6, between 3 and 4"]
    rows = second.assign(experts=label, speaker=speakers).to_dict("records")
    keep("meta_pi_withheld", rows, ["experts", "speaker"], folder)


def report(options):
    """Print both tables for every kind of expert."""
    for label in options.experts:
        model, first, second = MODELS[label], [], []
        for seed in range(options.seeds):
            train = make_speakers(options.rows, random_state=seed)
            test = make_speakers(N_TEST, random_state=10_000 + seed)
            first.append(all_sources(model, train, test))
            second.append(withheld(model, train, test))
        print(f"\nExperts: {model}; {options.rows} rows, {options.seeds} data sets")
        save(label, averaged(first), averaged(second), options.output)
        print(averaged(first).to_string(float_format="{:.2f}".format))
        print("\nOne expert withheld, error % on its speaker (the sixth lies between 3 and 4)")
        print(averaged(second).to_string(float_format="{:.2f}".format))


if __name__ == "__main__":
    main()
