"""Fits under other processors' arithmetic: ``python benchmarks/processors.py [--settings S ...]``.

Exponentials and matrix products round differently with other vector instructions. numpy's groups
of instructions can be switched off (``NPY_DISABLE_CPU_FEATURES``) and OpenBLAS can be told another
kernel (``OPENBLAS_CORETYPE``), so that one machine stands for several. Every seeded fit of the
notebooks, of the code in README and docs and of the lines of the zoo is run under each setting in a
process of its own; those whose ends differ by more than ``--limit`` nats a row are listed with what
the fit says about itself. ``--tests`` does the same to the fits of the suite; ``--run S -- x``
runs any command x under a setting (``--run second``: the first that differs from the machine's).
"""

import argparse
import functools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
#: Instructions that are switched off (beginnings of numpy's names, which change with its version),
#: and the kernels of OpenBLAS.
SETTINGS = {
    "own": ((), None),
    "AVX2": (("AVX512", "X86_V4", "AVX10"), "Haswell"),
    "SSE": (("AVX", "FMA", "F16C", "X86_V3", "X86_V4"), "Nehalem"),
    "Zen": (("AVX512", "X86_V4", "AVX10"), "Zen"),
    "AVX-512": ((), "SkylakeX"),
}
#: Starts below which their agreement says little.
FEW = 6
#: Where records of fits go; set in the processes that record.
RECORDS = "MOE_CLASSIC_FITS"


# ------------------------------------------------------------------------- settings


def disabled(beginnings):
    """Names of instructions that this numpy can switch off on this machine."""
    from numpy._core import _multiarray_umath as core

    # Names that are unknown or belong to the baseline make numpy warn or refuse at import.
    names = [name for name in core.__cpu_dispatch__ if name not in core.__cpu_baseline__]
    return [n for n in names if n.startswith(beginnings) and core.__cpu_features__.get(n)]


def environment(setting):
    """Environment of a process under a setting; None where it means nothing on this machine."""
    beginnings, core = SETTINGS[setting]
    # What is switched off already stays so.
    names = os.environ.get("NPY_DISABLE_CPU_FEATURES", "").split()
    names += disabled(beginnings) if beginnings else []
    if setting == "own":
        return dict(os.environ)
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return None
    if core == "SkylakeX" and not disabled(("AVX512", "X86_V4")):
        return None
    return os.environ | {
        "OPENBLAS_CORETYPE": core,
        **({"NPY_DISABLE_CPU_FEATURES": " ".join(names)} if names else {}),
    }


def run_under(setting, command):
    """Run a command under a setting; its exit code."""
    order = ["AVX2", "SSE"] if setting == "second" else [setting]
    # A machine without AVX-512 is the first of them already.
    if setting == "second" and not disabled(SETTINGS["AVX2"][0]):
        order = ["SSE"]
    env = environment(order[0])
    if env is None:
        print(f"This machine has no setting {setting!r}; nothing was run.")
        return 0
    print(
        f"{order[0]}: OPENBLAS_CORETYPE={env.get('OPENBLAS_CORETYPE', '')}",
        f"NPY_DISABLE_CPU_FEATURES={env.get('NPY_DISABLE_CPU_FEATURES', '')}",
        flush=True,
    )
    return subprocess.run(command, env=env, check=False).returncode


# ------------------------------------------------------------------------- recording


class Recorder:
    """Writes a line for every outermost fit of an estimator of the package."""

    def __init__(self, folder):
        self.where, self.depth = "", 0
        self.out = (Path(folder) / f"{os.getpid()}.jsonl").open("a")

    def at(self, where):
        """Fits that follow belong there."""
        self.where = where

    def attach(self):
        """Wrap the fits of all public estimators."""
        import moe_classic

        for name in moe_classic.__all__:
            found = getattr(moe_classic, name)
            if isinstance(found, type) and hasattr(found, "fit"):
                found.fit = self.wrap(found.fit)

    def wrap(self, fit):
        @functools.wraps(fit)
        def recorded(model, X, y=None, *args, **kwargs):
            self.depth += 1
            try:
                return fit(model, X, y, *args, **kwargs)
            finally:
                self.depth -= 1
                # A fit that raises has no end to compare.
                if self.depth == 0 and sys.exc_info()[0] is None and seeded(model):
                    line = describe(model, X, y) | {"where": self.where, "rows": rows_of(X, y)}
                    self.out.write(json.dumps(line) + "\n")
                    self.out.flush()

        return recorded


def seeded(model):
    """Whether a fit is one that users make: from starts of its own, which a seed decides."""
    given = model.get_params(deep=False)
    return isinstance(given.get("init", ""), str) and given.get("random_state", 0) is not None


def rows_of(X, y):
    """A number for the data of a fit: the same fit is known by it under every setting."""
    number = 0
    for part in (np.asarray(a) for a in (X, y) if a is not None):
        # Drawn data differ in their last digits themselves.
        known = np.round(part, 6) + 0.0 if part.dtype.kind == "f" else part.astype(str)
        number = zlib.crc32(np.ascontiguousarray(known).tobytes(), number)
    return number


def describe(model, X, y):
    """What a fit ended at, and what it says about how it got there."""
    report = getattr(model, "start_report_", None)
    tail = " ".join(re.sub(r"init=array\(.*?\]\)", "init=array", repr(model), flags=re.S).split())
    return {
        "model": tail[:160],
        "height": height(model, X, y),
        "converged": bool(getattr(model, "converged_", True)),
        "passes": int(getattr(model, "n_iter_", 0) or 0),
        "starts": 0 if report is None else int(report["finalist"].sum()),
        "agree": 0 if report is None else int((report["optimum"] == 1).sum()),
        "degenerate": 0 if report is None else int(report["degenerate_experts"].iloc[0]),
        "gradient": type(model).__name__.startswith("MetaPi")
        or bool(re.search("SGD|Adam|'sgd'|'adam'", repr(getattr(model, "solver", "")))),
        "hard": type(model).__name__.startswith("Hard"),
        "hidden": bool(getattr(model, "hidden_units", 0)),
        "random": bool(re.search("stochastic", repr(getattr(model, "solver", "")))),
        "steep": steepness(model),
    }


def height(model, X, y):
    """Log-likelihood a row; without one the mean log probability or the share explained."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if hasattr(model, "log_likelihood_"):
                return float(model.log_likelihood_) / len(y)
            if hasattr(model, "predict_proba"):
                index = np.searchsorted(model.classes_, np.asarray(y))
                proba = np.asarray(model.predict_proba(X))[np.arange(len(y)), index]
                return float(np.log(np.clip(proba, 1e-3, None)).mean())
            return float(model.score(X, y))
        except Exception as e:  # noqa: BLE001 - whatever a test asks for, a record is only a record
            return f"{type(e).__name__}"


def steepness(model):
    """Largest coefficient of an expert for classes, where slopes grow without end if they part."""
    if not hasattr(model, "classes_"):
        return 0.0
    coefs = [e.coef_ for e in getattr(model, "experts_", []) if hasattr(e, "coef_")]
    return float(max((np.abs(np.asarray(c)).max(initial=0.0) for c in coefs), default=0.0))


_recorder = None


def pytest_configure(config):
    """As a plugin of pytest: record the fits of the suite."""
    global _recorder
    if os.environ.get(RECORDS):
        _recorder = Recorder(os.environ[RECORDS])
        _recorder.attach()


def pytest_runtest_setup(item):
    """Fits belong to the test that asks for them first."""
    if _recorder is not None:
        _recorder.at(item.nodeid)


# ------------------------------------------------------------------------- what is fitted


def fit_notebooks(recorder):
    """The notebooks' sources, one after the other."""
    import joblib
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    plt.show = lambda: plt.close("all")
    for path in sorted((ROOT / "notebooks" / "sources").glob("*.py")):
        recorder.at(f"notebook {path.stem}")
        # In this process, where fits are seen.
        with joblib.parallel_config("sequential"):
            exec(compile(path.read_text("utf-8"), str(path), "exec"), {"__name__": "__main__"})


def fit_pages(recorder):
    """Code of the README and the first page, and the lines of the zoo at their defaults."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("pages", ROOT / "tests" / "test_docs.py")
    pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pages)
    for name, text in (
        ("README", (ROOT / "README.md").read_text("utf-8")),
        ("index", pages.page("index")),
    ):
        recorder.at(name)
        names = {}
        for block in pages.FENCE.findall(text):
            exec(block, names)
    for section, system, _, line in pages.ZOO:
        recorder.at(f"zoo: {section}: {system}")
        given = pages.data(section)
        found = eval(line, pages.names_of_the_zoo() | given)
        if hasattr(found, "fit") and not re.search(r"partial_fit|recursively", line):
            found.set_params(random_state=0).fit(**given)


# ------------------------------------------------------------------------- comparing


def record(setting, tests):
    """Fits under one setting by where they are and their number there."""
    env = environment(setting)
    if env is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(ROOT), str(ROOT / "benchmarks"), env.get("PYTHONPATH", "")]
        env |= {RECORDS: folder, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        env |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        command = [sys.executable, "-W", "ignore", __file__, "--worker"]
        if tests:
            command = [sys.executable, "-m", "pytest", "-q", "-p", "processors", *tests]
        out = None if tests else subprocess.DEVNULL
        subprocess.run(command, env=env, cwd=ROOT, check=not tests, stdout=out)
        return read(folder)


def read(folder):
    """Records of a folder."""
    lines = [json.loads(x) for f in Path(folder).glob("*.jsonl") for x in f.open()]
    found, seen = {}, defaultdict(int)
    for line in lines:
        key = (line["where"], line["model"], line["rows"])
        seen[key] += 1
        found[*key, seen[key]] = line
    return found


def compare(fits, limit):
    """Fits whose ends differ between settings by more than the limit."""
    found = defaultdict(dict)
    for setting, records in fits.items():
        for key, line in records.items():
            found[key][setting] = line
    total, listed = 0, []
    for key, lines in found.items():
        if len(lines) < len(fits):  # data that an earlier fit has made
            continue
        heights = [line["height"] for line in lines.values()]
        if any(isinstance(h, str) for h in heights):
            continue
        total += 1
        if np.ptp(heights) > limit:
            listed.append((float(np.ptp(heights)), key, lines))
    return total, sorted(listed, key=lambda row: -row[0])


def cause(lines):
    """Why a fit may end elsewhere, from what it says about itself."""
    some = list(lines.values())
    reasons = []
    if any(line["gradient"] or line["hidden"] for line in some):
        reasons.append("trained by gradient")
    if any(line["hard"] for line in some):
        reasons.append("the gate deals the rows out anew, which goes on from round to round")
    if any(line["random"] for line in some):
        reasons.append("random assignments")
    if not all(line["converged"] for line in some):
        reasons.append("cut off by max_iter")
    shares = ", ".join(f"{line['agree']} of {line['starts']}" for line in some)
    if any(line["starts"] > 1 and line["agree"] <= line["starts"] / 3 for line in some):
        reasons.append(f"starts disagree ({shares} at the best)")
    elif any(1 < line["starts"] < FEW for line in some):
        reasons.append(f"few starts, which may agree on a lower hill ({shares})")
    if any(line["starts"] == 1 for line in some):
        reasons.append("a single start")
    if any(line["degenerate"] for line in some):
        reasons.append("degenerate experts")
    if any(line["steep"] > 30.0 for line in some):
        reasons.append("classes nearly separable")
    return "; ".join(reasons) or "none of the usual"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--limit", type=float, default=0.01, help="nats a row")
    parser.add_argument("--tests", nargs="*", help="fits of the suite, or of these tests, instead")
    parser.add_argument("--run", choices=[*SETTINGS, "second"], help="run the command behind --")
    parser.add_argument("--read", nargs="+", help="folders of records made before, one a setting")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    argv, command = sys.argv[1:], []
    if "--" in argv:
        at = argv.index("--")
        argv, command = argv[:at], argv[at + 1 :]
    given = parser.parse_args(argv)
    if given.run:
        return run_under(given.run, command)
    if given.worker:
        recorder = Recorder(os.environ[RECORDS])
        recorder.attach()
        fit_pages(recorder)
        fit_notebooks(recorder)
        return 0
    if given.read:
        fits = {Path(folder).name: read(folder) for folder in given.read}
    else:
        tests = None if given.tests is None else given.tests or ["tests"]
        fits = {setting: record(setting, tests) for setting in given.settings}
        fits = {setting: records for setting, records in fits.items() if records is not None}
    total, listed = compare(fits, given.limit)
    print(f"{len(listed)} of {total} fits end more than {given.limit} apart ({', '.join(fits)})")
    for difference, (where, model, _, _), lines in listed:
        heights = " ".join(f"{line['height']:.3f}" for line in lines.values())
        print(f"\n{difference:.3f}  {where}: {model}")
        print(f"       {heights}; {cause(lines)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
