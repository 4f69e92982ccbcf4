"""The command ``python -m moe_classic``: its tables, its files, and inputs that cannot be used."""

import pickle
import re
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from pandas.api.types import is_numeric_dtype
from sklearn.model_selection import KFold

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.__main__ import arguments, main, parser
from moe_classic._cli import comparison, tone_table
from moe_classic.datasets import load_faithful, load_tone, make_moe

#: What keeps a run short where the comparison itself is not tested.
QUICK = ["--folds", "2", "--n-init", "2", "--n-experts", "2"]


@pytest.fixture
def faithful_csv(tmp_path):
    path = tmp_path / "faithful.csv"
    load_faithful(as_frame=True).frame.to_csv(path, index=False)
    return str(path)


@pytest.fixture
def classes_csv(tmp_path):
    X, y = make_moe(120, expert="multinomial", n_classes=3, n_features=2, random_state=1)
    frame = pd.DataFrame(X, columns=["u", "v"])
    frame["kind"] = np.array(["low", "middle", "high"])[y]
    path = tmp_path / "classes.csv"
    frame.to_csv(path, index=False)
    return str(path)


def run(tmp_path, *arguments):
    return main([*map(str, arguments), "--output", str(tmp_path / "out")])


# ------------------------------------------------------------------------- what it prints and saves


def test_command_has_the_defaults_of_its_help():
    args = parser().parse_args([])
    assert (args.folds, args.n_init, args.seed, args.rank_by) == (5, 10, 0, "log-score")


def test_command_without_a_file_compares_twelve_models_of_the_tone_data(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    # As without arguments, with fewer folds and starts.
    assert main(["--folds", "2", "--n-init", "2"]) == 0
    ranking = pd.read_csv("moe_classic_output/ranking.csv")
    pairs = set(zip(ranking.expert, ranking.K, strict=True))
    families = ("gaussian", "laplace", "student_t")
    assert pairs == {(family, K) for family in families for K in (1, 2, 3, 4)}
    row = ranking[(ranking.expert == "gaussian") & (ranking.K == 2)].iloc[0]
    # The optimum of the literature, 142.8480, and its BIC with 8 parameters.
    assert row.log_likelihood == pytest.approx(142.848, abs=1e-3)
    assert row.bic == pytest.approx(-2 * 142.848 + 8 * np.log(150), abs=2e-3)
    output = capsys.readouterr().out
    for name in ("picture.png", "model.joblib", "ranking.csv", "coefficients.csv"):
        assert f"moe_classic_output/{name}" in output
        assert (tmp_path / "moe_classic_output" / name).stat().st_size > 0


def test_command_runs_as_a_module_and_exits_with_status_two_on_a_missing_file():
    command = [sys.executable, "-m", "moe_classic", "no such file.csv", "--target", "y"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "moe_classic: cannot read no such file.csv: No such file or directory.\n"


def test_command_ends_in_silence_when_its_output_is_not_read(tmp_path):
    quick = ["--experts", "gaussian", "--n-experts", "1", "--output", str(tmp_path)]
    command = [sys.executable, "-m", "moe_classic", *quick]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        error = process.stderr.read()
    assert process.returncode == 1
    assert error == b""


def test_command_ranks_by_the_cross_validated_log_score(tmp_path, capsys):
    assert run(tmp_path, "--experts", "gaussian", "laplace", *QUICK) == 0
    ranking = pd.read_csv(tmp_path / "out" / "ranking.csv", index_col="rank")
    X, y = load_tone(return_X_y=True)
    scores = {}
    for family in ("gaussian", "laplace"):
        held_out = np.empty(len(y))
        for train, test in KFold(2, shuffle=True, random_state=0).split(X):
            model = MoERegressor(2, expert=family, n_init=2, random_state=0)
            model.fit(X[train], y[train])
            held_out[test] = model.score_samples(X[test], y[test])
        scores[family] = held_out
    order = sorted(scores, key=lambda family: -scores[family].mean())
    assert list(ranking.expert) == order
    behind = scores[order[0]] - scores[order[1]]
    # The same fits of the same rows: rounding only.
    np.testing.assert_allclose(ranking.log_score, [scores[f].mean() for f in order], rtol=1e-9)
    assert ranking.behind[2] == pytest.approx(behind.mean(), rel=1e-9)
    assert ranking.behind_se[2] == pytest.approx(behind.std(ddof=1) / np.sqrt(150), rel=1e-9)
    assert f"Best by log score: 2 {order[0]} experts, softmax gate." in capsys.readouterr().out


def test_command_ranks_by_bic_when_asked(tmp_path, capsys):
    arguments = ["--experts", "gaussian", "--rank-by", "bic", "--folds", "2", "--n-init", "4"]
    assert run(tmp_path, *arguments, "--n-experts", "1", "2", "3") == 0
    ranking = pd.read_csv(tmp_path / "out" / "ranking.csv")
    assert ranking.bic.is_monotonic_increasing
    assert "Best by bic: 3 gaussian experts" in capsys.readouterr().out


def test_command_saves_the_best_model_fitted_to_all_rows(tmp_path, faithful_csv, capsys):
    assert run(tmp_path, faithful_csv, "--target", "waiting", "--experts", "gaussian", *QUICK) == 0
    model = joblib.load(tmp_path / "out" / "model.joblib")
    frame = load_faithful(as_frame=True).frame
    again = MoERegressor(2, n_init=2, random_state=0).fit(frame[["eruptions"]], frame["waiting"])
    assert list(model.feature_names_in_) == ["eruptions"]
    np.testing.assert_array_equal(
        model.predict(frame[["eruptions"]]), again.predict(frame[["eruptions"]])
    )
    table = pd.read_csv(tmp_path / "out" / "coefficients.csv", index_col=["part", "kind", "term"])
    # What a text file holds of a double.
    np.testing.assert_allclose(table.to_numpy(), again.summary().to_numpy(), rtol=1e-12)
    printed = capsys.readouterr().out
    assert f"{again.experts_[0].coef_[0]:.5g}" in printed
    assert "nan" not in printed.lower()


def test_command_prints_no_gate_when_one_expert_is_best(tmp_path, faithful_csv, capsys):
    arguments = [faithful_csv, "--target", "waiting", "--experts", "gaussian", "--n-experts", "1"]
    assert run(tmp_path, *arguments) == 0
    printed = capsys.readouterr().out
    assert "Best by log score: 1 gaussian expert.\n" in printed
    assert "\ngate" not in printed


def test_command_uses_the_features_gate_and_separator_it_is_told(tmp_path, rng):
    frame = pd.DataFrame(rng.standard_normal((60, 3)), columns=["a", "b", "y"])
    frame["city"] = "Oslo"
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False, sep=";")
    columns = ["--target", "y", "--features", "b", "--sep", ";", "--gate", "constant"]
    assert run(tmp_path, path, *columns, "--experts", "laplace", *QUICK) == 0
    model = joblib.load(tmp_path / "out" / "model.joblib")
    assert list(model.feature_names_in_) == ["b"]
    assert model.gate_.name == "constant"


def test_command_with_the_same_seed_writes_the_same_ranking(tmp_path):
    tables = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        out = str(tmp_path / name)
        assert main(["--experts", "laplace", *QUICK, "--seed", str(seed), "--output", out]) == 0
        tables.append((tmp_path / name / "ranking.csv").read_text())
    assert tables[0] == tables[1] != tables[2]


@pytest.mark.filterwarnings("error")
def test_command_marks_fits_that_interpolate_and_ranks_them_last(tmp_path, rng, capsys):
    x = rng.uniform(-1, 1, 60)
    # The left half lies on a line exactly: one of two experts passes through it.
    y = np.where(x < 0, 2.0 * x, 1.0 - 3.0 * x + 0.3 * rng.standard_normal(60))
    path = tmp_path / "line.csv"
    pd.DataFrame({"x": x, "y": y}).to_csv(path, index=False)
    arguments = [path, "--target", "y", "--experts", "gaussian", "--n-experts", "1", "2"]
    assert run(tmp_path, *arguments, "--folds", "2") == 0
    ranking = pd.read_csv(tmp_path / "out" / "ranking.csv")
    assert list(ranking.K) == [1, 2]
    assert ranking.log_score[1] > ranking.log_score[0]
    assert ranking.note[1] == "1 interpolating"
    assert "interpolating: experts that pass through their rows" in capsys.readouterr().out


# ------------------------------------------------------------------------- tasks


def test_command_takes_text_as_classes(tmp_path, classes_csv, capsys):
    assert run(tmp_path, classes_csv, "--target", "kind", *QUICK) == 0
    model = joblib.load(tmp_path / "out" / "model.joblib")
    assert isinstance(model, MoEClassifier)
    assert list(model.classes_) == ["high", "low", "middle"]
    assert "classification of kind on u, v." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("task", "expected"),
    [("auto", MoEClassifier), ("classification", MoEClassifier), ("regression", MoERegressor)],
)
def test_command_takes_few_whole_numbers_as_classes_unless_told(tmp_path, task, expected, capsys):
    X, y = make_moe(80, expert="logistic", random_state=0)
    path = tmp_path / "bits.csv"
    pd.DataFrame({"x": X[:, 0], "y": y}).to_csv(path, index=False)
    assert run(tmp_path, path, "--target", "y", "--task", task, *QUICK) == 0
    assert isinstance(joblib.load(tmp_path / "out" / "model.joblib"), expected)
    said = "taken as classes" in capsys.readouterr().out
    assert said == (task == "auto")


@pytest.mark.parametrize("target", ["y", "kind"])
@pytest.mark.parametrize(("n_features", "K"), [(1, 1), (1, 3), (2, 3), (4, 3)])
def test_command_draws_a_picture_for_any_task_and_number_of_features(
    tmp_path, rng, target, n_features, K
):
    frame = pd.DataFrame(rng.standard_normal((90, n_features)), columns=list("abcd")[:n_features])
    bent = frame["a"].abs() + 0.3 * rng.standard_normal(90)
    frame[target] = bent if target == "y" else bent > bent.median()
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    arguments = ["--target", target, "--n-experts", K, "--folds", "2", "--n-init", "1"]
    family = "logistic" if target == "kind" else "student_t"
    assert run(tmp_path, path, *arguments, "--experts", family) == 0
    header = (tmp_path / "out" / "picture.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (16, 20))
    assert min(width, height) > 500


# ------------------------------------------------------------------------- inputs it cannot use


#: Thirty rows with y = i^2 mod 17 + 1/2, at x = i.
GOOD = "x,y\n" + "".join(f"{i},{i * i % 17 + 0.5}\n" for i in range(30))
BAD_FILES = {
    "is empty": ("", []),
    "has a header but no rows": ("x,y\n", []),
    "has a single row": ("x,y\n1,2\n", []),
    "has 4 rows, too few for --n-experts 4 with --folds 5": ("x,y\n1,2\n2,3\n3,5\n4,4\n", []),
    "has no column 'z'; it has: x, y": (GOOD, ["--target", "z"]),
    "has no column 'w'; it has: x, y": (GOOD, ["--features", "w"]),
    "--features must not name the target 'y'": (GOOD, ["--features", "x", "y"]),
    "has no column besides the target 'y'": ("y\n1.5\n2.5\n3.5\n", []),
    "column 'x' of .* has 1 missing value, the first in row 2": (GOOD.replace("1,1.5", ",1.5"), []),
    "column 'y' of .* has 1 missing value": (GOOD.replace("1,1.5", "1,"), []),
    "column 'x' of .* has 1 infinite value": (GOOD.replace("1,1.5", "inf,1.5"), []),
    "column 'x' of .* is not numeric, it holds 'Oslo'; .*--features": (
        GOOD.replace("1,1.5", "Oslo,1.5"),
        [],
    ),
    "column 'y' of .* is not numeric, it holds 'two'; use --task classification": (
        GOOD.replace("1,1.5", "1,two"),
        ["--task", "regression"],
    ),
    "the target 'y' is 2.5 in every row": ("x,y\n" + "".join(f"{i},2.5\n" for i in range(9)), []),
    "column 'y' of .* has fractional values": (GOOD, ["--task", "classification"]),
    "class b of 'y' has 1 row, and each of --folds 5 needs one": (
        "x,y\n" + "".join(f"{i},a\n" for i in range(9)) + "9,b\n",
        [],
    ),
    "more than one column 'x'": ("x,x,y\n1,2,3\n2,3,4\n", []),
    "cannot be read as a table": ("x,y\n1,2\n1,2,3,4\n", []),
    "multinomial experts do not describe the regression target 'y'": (
        GOOD,
        ["--experts", "multinomial"],
    ),
    "laplace experts do not describe the classification target 'y'": (
        "x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(30)),
        ["--experts", "laplace"],
    ),
    "--folds 1 must be at least 2": (GOOD, ["--folds", "1"]),
    "--n-init 0 must be at least 1": (GOOD, ["--n-init", "0"]),
    "--n-experts 0 must be at least 1": (GOOD, ["--n-experts", "0", "2"]),
    "--seed -1 must be at least 0": (GOOD, ["--seed", "-1"]),
}


@pytest.mark.parametrize("sentence", BAD_FILES)
def test_command_says_in_one_line_why_it_cannot_use_a_file(tmp_path, capsys, sentence):
    text, options = BAD_FILES[sentence]
    path = tmp_path / "table.csv"
    path.write_text(text)
    target = [] if "--target" in options else ["--target", "y"]
    assert run(tmp_path, path, *target, *options) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(f"moe_classic: .*{sentence}.*\\.\n", error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot read .*: Is a directory"),
        (b"x,y\n\xff\xfe,1\n", "is not a text file in UTF-8"),
    ],
)
def test_command_says_in_one_line_why_it_cannot_read_a_file(tmp_path, capsys, content, sentence):
    path = tmp_path / "table.csv"
    path.mkdir() if content is None else path.write_bytes(content)
    assert run(tmp_path, path, "--target", "y") == 2
    assert re.fullmatch(f"moe_classic: .*{sentence}.*\\.\n", capsys.readouterr().err)


def test_command_names_the_columns_when_the_target_is_missing(tmp_path, faithful_csv, capsys):
    assert run(tmp_path, faithful_csv) == 2
    expected = "name the column to predict with --target, one of: eruptions, waiting."
    assert capsys.readouterr().err == f"moe_classic: {expected}\n"


@pytest.mark.parametrize(
    "options",
    [["--target", "tuned"], ["--features", "x"], ["--sep", ";"], ["--task", "classification"]],
    ids=lambda options: options[0],
)
def test_command_refuses_options_of_a_file_without_one(tmp_path, options, capsys):
    assert run(tmp_path, *options) == 2
    error = capsys.readouterr().err
    assert options[0] in error
    assert "CSV file" in error


def test_command_says_in_one_line_that_it_cannot_write(tmp_path, capsys):
    (tmp_path / "out").write_text("a file, not a folder")
    assert run(tmp_path, "--experts", "gaussian", *QUICK) == 2
    error = capsys.readouterr().err
    assert re.fullmatch("moe_classic: cannot write to --output .*: File exists\\.\n", error)


def test_command_looks_for_its_folder_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "out").write_text("a file, not a folder")
    monkeypatch.setattr(comparison, "tried", lambda *a: pytest.fail("a fit was made"))
    assert run(tmp_path, *QUICK) == 2


def test_command_passes_on_why_a_model_cannot_be_fitted(tmp_path, classes_csv, capsys):
    assert run(tmp_path, classes_csv, "--target", "kind", "--experts", "logistic", *QUICK) == 2
    error = capsys.readouterr().err
    assert error.startswith("moe_classic: n_experts=2, logistic: LogisticExpert describes two")
    assert error.count("\n") == 1


# ------------------------------------------------------------------------- untidy tables


def untidy(tmp_path, names, rng, **options):
    """A table with the given column names, the last of which is the target."""
    X = rng.normal(size=(60, len(names) - 1))
    frame = pd.DataFrame(np.column_stack([X, X[:, 0] + 0.1 * rng.normal(size=60)]), columns=names)
    path = tmp_path / "untidy.csv"
    frame.to_csv(path, index=False, **options)
    return path, frame


ONE = ["--folds", "2", "--n-init", "1", "--n-experts", "1", "--experts", "gaussian"]


@pytest.mark.parametrize(
    "written", [{"sep": ";"}, {"sep": "\t"}, {"sep": "|"}, {"sep": ";", "decimal": ","}], ids=str
)
def test_command_recognises_separators_and_decimal_commas(tmp_path, rng, written):
    path, frame = untidy(tmp_path, ["a", "b", "y"], rng, **written)
    assert run(tmp_path, path, "--target", "y", *ONE) == 0
    model = joblib.load(tmp_path / "out" / "model.joblib")
    plain = MoERegressor(1).fit(frame[["a", "b"]], frame.y)
    np.testing.assert_allclose(model.experts_[0].coef_, plain.experts_[0].coef_, rtol=1e-9)


def test_command_takes_a_spelled_out_tab(tmp_path, rng):
    path, _ = untidy(tmp_path, ["a", "y"], rng, sep="\t")
    assert run(tmp_path, path, "--target", "y", "--sep", r"\t", *ONE) == 0


@pytest.mark.parametrize("sep", ["", ";;", "\n", '"', "tabs"])
def test_command_refuses_odd_separators_in_one_sentence(tmp_path, rng, capsys, sep):
    path, _ = untidy(tmp_path, ["a", "y"], rng)
    assert run(tmp_path, path, "--target", "y", "--sep", sep, *ONE) == 2
    assert "must be one character" in capsys.readouterr().err


@pytest.mark.parametrize("n", [1, 2])
def test_command_survives_formulas_in_names(tmp_path, rng, n):
    names = [r"a$\frac{1}$", r"$\nothing{", r"y$_$"][-n - 1 :]
    path, _ = untidy(tmp_path, names, rng)
    assert run(tmp_path, path, "--target", names[-1], *ONE) == 0
    assert (tmp_path / "out" / "picture.png").stat().st_size > 0


def test_command_writes_no_formulas_into_its_tables(tmp_path, rng):
    names = ["=1+1", "@a", "+b", "-c", "y"]
    path, _ = untidy(tmp_path, names, rng)
    assert run(tmp_path, path, "--target", "y", *ONE) == 0
    for name in ("ranking.csv", "coefficients.csv"):
        table = pd.read_csv(tmp_path / "out" / name)
        words = table.loc[:, [not is_numeric_dtype(table[c]) for c in table]]
        labels = [*table.columns, *words.to_numpy().ravel().astype(str)]
        assert not any(label.startswith(("=", "+", "@", "-")) for label in labels)
    assert "'=1+1" in (tmp_path / "out" / "coefficients.csv").read_text()


def test_command_saves_what_it_has_when_the_picture_fails(tmp_path, rng, capsys, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no canvas")

    monkeypatch.setattr("moe_classic._cli.picture.draw", fail)
    path, _ = untidy(tmp_path, ["a", "y"], rng)
    assert run(tmp_path, path, "--target", "y", *ONE) == 0
    assert "could not be drawn (RuntimeError: no canvas)" in capsys.readouterr().out
    saved = {p.name for p in (tmp_path / "out").iterdir()}
    assert saved == {"model.joblib", "ranking.csv", "coefficients.csv"}


def test_command_reports_the_models_that_could_be_fitted(tmp_path, rng, capsys, monkeypatch):
    fit = MoERegressor.fit

    def some(self, X, y, **more):
        if self.expert == "laplace":
            raise ValueError("out of luck.")
        return fit(self, X, y, **more)

    monkeypatch.setattr(MoERegressor, "fit", some)
    path, _ = untidy(tmp_path, ["a", "y"], rng)
    assert run(tmp_path, path, "--target", "y", *ONE[:-1], "gaussian", "laplace") == 0
    assert "Left out: n_experts=1, laplace: out of luck." in capsys.readouterr().out
    assert run(tmp_path, path, "--target", "y", *ONE[:-1], "laplace") == 2


# ------------------------------------------------------------------------- while it works


def test_command_tells_each_model_as_it_comes(tmp_path, monkeypatch, capsys):
    told = []
    tried = comparison.tried

    def watched(*arguments):
        told.append(capsys.readouterr().out)
        return tried(*arguments)

    monkeypatch.setattr(comparison, "tried", watched)
    assert run(tmp_path, "--folds", "2", "--n-init", "1", "--n-experts", "1") == 0
    assert told[0].startswith("tone: 150 rows")
    assert re.match(r"1/3  1 gaussian expert: log score [-\d.]+, BIC [-\d.]+ \(", told[1])
    assert re.match(r"2/3  1 laplace expert: ", told[2])


def test_quick_changes_what_is_not_given():
    plain, quick = arguments([]), arguments(["--quick"])
    assert (plain.folds, plain.n_init, plain.n_experts, plain.sample) == (5, 10, [1, 2, 3, 4], 5000)
    assert (quick.folds, quick.n_init, quick.n_experts, quick.sample) == (3, 3, [1, 2, 3], 2000)
    assert arguments(["--quick", "--folds", "4"]).folds == 4
    assert arguments(["--n-experts", "2", "--quick"]).n_experts == [2]


def test_models_side_by_side_rank_as_in_turn(tmp_path):
    some = ["--experts", "gaussian", "--folds", "2", "--n-init", "1", "--n-experts", "1", "2"]
    rankings = []
    for jobs in ("1", "2"):
        # Threads begin at once; that all can be sent to a process is looked at below.
        with joblib.parallel_config(backend="threading"):
            assert run(tmp_path, *some, "--jobs", jobs) == 0
        rankings.append(pd.read_csv(tmp_path / "out" / "ranking.csv"))
    pd.testing.assert_frame_equal(*rankings, rtol=1e-6)
    outcome = comparison.attempt(MoERegressor(1), tone_table(), 2, 0)
    again = pickle.loads(pickle.dumps((comparison.attempt, tone_table(), outcome)))[2]
    assert again.result == outcome.result


def test_large_tables_are_ranked_on_a_sample_that_is_stated(tmp_path, rng, capsys):
    path, frame = untidy(tmp_path, ["a", "y"], rng)
    n = len(frame)
    half = str(n // 2)
    assert run(tmp_path, path, "--target", "y", *ONE, "--sample", half) == 0
    out = capsys.readouterr().out
    assert f"Comparing by BIC on {half} of the rows, drawn with --seed 0," in out
    assert f"Fitting 1 gaussian expert to all {n} rows." in out
    model = joblib.load(tmp_path / "out" / "model.joblib")
    everything = MoERegressor(1, n_init=1, random_state=0).fit(frame[["a"]], frame["y"])
    assert model.log_likelihood_ == pytest.approx(everything.log_likelihood_)
    assert run(tmp_path, path, "--target", "y", *ONE, "--sample", "0") == 0
    assert "Comparing by BIC on all rows and" in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--jobs", "0"], ["--sample", "-1"]], ids=str)
def test_command_refuses_numbers_without_a_meaning(tmp_path, capsys, option):
    assert run(tmp_path, *QUICK, *option) == 2
    assert capsys.readouterr().err.startswith(f"moe_classic: {' '.join(option)} must be")


def interrupt_after(monkeypatch, count):
    """Let so many models be tried; then the user loses patience."""
    tried, left = comparison.tried, iter(range(count))

    def impatient(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return tried(*arguments)

    monkeypatch.setattr(comparison, "tried", impatient)


def test_interrupted_it_leaves_what_it_has(tmp_path, monkeypatch, capsys):
    interrupt_after(monkeypatch, 2)
    assert run(tmp_path, "--folds", "2", "--n-init", "1", "--n-experts", "1") == 130
    ranking = pd.read_csv(tmp_path / "out" / "ranking.csv")
    assert sorted(ranking.expert) == ["gaussian", "laplace"]
    assert "Interrupted: what follows is about the models above." in capsys.readouterr().out
    assert joblib.load(tmp_path / "out" / "model.joblib").expert == ranking.expert[0]


def test_interrupted_before_the_first_result_it_says_so(tmp_path, monkeypatch, capsys):
    interrupt_after(monkeypatch, 0)
    assert run(tmp_path, *QUICK) == 130
    assert capsys.readouterr().err == "moe_classic: interrupted before the first result.\n"


def test_interrupted_while_it_fits_all_rows_it_leaves_the_model_of_the_sample(
    tmp_path, rng, monkeypatch, capsys
):
    path, frame = untidy(tmp_path, ["a", "y"], rng)
    fit = MoERegressor.fit

    def small(self, X, y):
        if len(y) == len(frame):
            raise KeyboardInterrupt
        return fit(self, X, y)

    monkeypatch.setattr(MoERegressor, "fit", small)
    assert run(tmp_path, path, "--target", "y", *ONE, "--sample", str(len(frame) // 2)) == 0
    assert "the model that is left is that of the sample" in capsys.readouterr().out
    assert (tmp_path / "out" / "model.joblib").exists()


# ------------------------------------------------------------------------- predictions of new rows


@pytest.fixture
def saved(tmp_path, faithful_csv):
    """A saved model of the geyser, and its table."""
    frame = pd.read_csv(faithful_csv)
    X, y = frame.iloc[:, :1], frame.iloc[:, 1]
    model = MoERegressor(2, n_init=1, random_state=0).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    return model, X, str(tmp_path / "model.joblib"), faithful_csv


def test_predict_writes_means_and_quantiles(tmp_path, saved, capsys):
    model, X, file, csv = saved
    out = tmp_path / "new.csv"
    levels = ["0.1", "0.9"]
    assert main(["predict", file, csv, "--quantiles", *levels, "--output", str(out)]) == 0
    table = pd.read_csv(out, index_col="row")
    assert list(table.columns) == ["prediction", "q0.1", "q0.9"]
    np.testing.assert_allclose(table.prediction, model.predict(X))
    np.testing.assert_allclose(table.iloc[:, 1:], model.predict_quantile(X, [0.1, 0.9]))
    assert capsys.readouterr().out == f"{len(X)} predictions: {out}\n"


def test_predict_prints_its_table_unless_told_where_to(saved, capsys):
    _, X, file, csv = saved
    assert main(["predict", file, csv]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "row,prediction,q0.05,q0.5,q0.95"
    assert len(lines) == len(X) + 1


def test_predict_gives_classes_with_their_probabilities(tmp_path, classes_csv):
    frame = pd.read_csv(classes_csv)
    model = MoEClassifier(1).fit(frame[["u", "v"]], frame["kind"])
    joblib.dump(model, tmp_path / "model.joblib")
    out = str(tmp_path / "new.csv")
    file = str(tmp_path / "model.joblib")
    assert main(["predict", file, classes_csv, "--output", out]) == 0
    table = pd.read_csv(out, index_col="row")
    assert list(table.prediction) == list(model.predict(frame[["u", "v"]]))
    columns = table[["P(high)", "P(low)", "P(middle)"]]
    np.testing.assert_allclose(columns, model.predict_proba(frame[["u", "v"]]))


def test_predict_says_in_one_line_what_it_cannot_use(tmp_path, saved, classes_csv, capsys):
    _, _, file, csv = saved
    joblib.dump({"no": "model"}, tmp_path / "other.joblib")
    for rest, sentence in [
        ([file, classes_csv], "has no column"),
        ([file, "nowhere.csv"], "cannot read nowhere.csv"),
        (["nowhere.joblib", csv], "cannot read nowhere.joblib"),
        ([str(tmp_path / "other.joblib"), csv], "holds no fitted mixture"),
        ([csv, csv], "holds no fitted mixture"),
        ([file, csv, "--quantiles", "1.5"], "must lie between 0 and 1"),
        ([file, csv, "--output", str(tmp_path)], "cannot write to --output"),
    ]:
        assert main(["predict", *rest]) == 2
        error = capsys.readouterr().err
        assert sentence in error
        assert error.count("\n") == 1


def test_counts_are_compared_by_families_of_counts(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, 150)
    frame = pd.DataFrame({"x": x, "visits": rng.poisson(np.exp(1.0 + x))})
    path = tmp_path / "visits.csv"
    frame.to_csv(path, index=False)
    arguments = ["--target", "visits", "--task", "regression", *QUICK]
    assert run(tmp_path, path, *arguments) == 0
    text = capsys.readouterr().out
    assert "Counts: whole numbers from 0 to" in text
    assert "Families compared: poisson, negative_binomial" in text
    ranking = pd.read_csv(tmp_path / "out" / "ranking.csv")
    assert {"poisson", "negative_binomial"} <= set(ranking.expert)


def test_counts_with_many_zeros_are_compared_with_inflated_ones(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, 200)
    caught = rng.poisson(np.exp(1.5 + x)) * (rng.random(200) < 0.6)
    path = tmp_path / "fish.csv"
    pd.DataFrame({"x": x, "fish": caught}).to_csv(path, index=False)
    arguments = ["--target", "fish", "--task", "regression", *QUICK, "--n-experts", "1"]
    assert run(tmp_path, path, *arguments) == 0
    text = capsys.readouterr().out
    assert "more than a Poisson distribution has" in text
    assert "Best by log score: 1 zero_inflated_poisson expert." in text
    ranking = pd.read_csv(tmp_path / "out" / "ranking.csv")
    assert ranking.expert[0] == "zero_inflated_poisson"
    model = joblib.load(tmp_path / "out" / "model.joblib")
    assert model.predict(pd.DataFrame({"x": [0.5]})).shape == (1,)
