"""Problems from several sources: their means, their shared factors and what experts can do."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from moe_classic.datasets import make_speakers, make_vowels


def noiseless_means(**options):
    """Mean of each (source, class) of speakers without noise."""
    X, y, sources = make_speakers(600, noise=0.0, random_state=0, **options)
    n_sources, n_classes = sources.max() + 1, y.max() + 1
    means = np.empty((n_sources, n_classes, 4))
    means[sources, y] = X
    return means


def test_speakers_return_rows_classes_and_sources():
    X, y, sources = make_speakers(random_state=0)
    assert X.shape == (1800, 4)
    assert y.shape == sources.shape == (1800,)
    assert np.issubdtype(y.dtype, np.integer)
    assert np.issubdtype(sources.dtype, np.integer)


def test_speakers_share_rows_evenly_over_sources_and_classes():
    _, y, sources = make_speakers(100, n_sources=4, n_classes=5, random_state=0)
    counts = np.zeros((4, 5), dtype=int)
    np.add.at(counts, (sources, y), 1)
    np.testing.assert_array_equal(counts, 5)


def test_speakers_differ_by_at_most_one_row_a_cell_when_rows_do_not_divide():
    _, y, sources = make_speakers(95, n_sources=4, n_classes=5, random_state=0)
    counts = np.zeros((4, 5), dtype=int)
    np.add.at(counts, (sources, y), 1)
    assert set(counts.ravel()) == {4, 5}


def test_speakers_come_in_random_order():
    _, y, sources = make_speakers(600, random_state=0)
    # Lag-one correlations of 600 shuffled labels have standard deviation .04.
    assert abs(np.corrcoef(y[1:], y[:-1])[0, 1]) < 0.15
    assert abs(np.corrcoef(sources[1:], sources[:-1])[0, 1]) < 0.15


@pytest.mark.parametrize(("n_sources", "pair"), [(3, (0, 1)), (6, (2, 3)), (7, (2, 3))])
def test_last_speaker_lies_half_way_between_two_neighbours(n_sources, pair):
    means = noiseless_means(n_sources=n_sources, n_classes=4)
    # rounding of an average of numbers near 1
    np.testing.assert_allclose(means[-1], means[list(pair)].mean(axis=0), rtol=0, atol=1e-15)


def test_speakers_turn_their_classes_by_the_asked_spread():
    means = noiseless_means(n_classes=3, spread=80.0)
    angles = np.degrees(np.arctan2(means[:-1, 0, 1], means[:-1, 0, 0]))
    np.testing.assert_allclose(angles, [-40, -20, 0, 20, 40], rtol=0, atol=1e-12)


def test_speakers_share_one_pattern_of_classes_when_the_spread_is_zero():
    means = noiseless_means(spread=0.0)
    np.testing.assert_array_equal(means[:-1, :, :2], np.broadcast_to(means[0, :, :2], (5, 3, 2)))


def test_speakers_have_voices_on_a_circle_of_the_asked_radius():
    voices = noiseless_means(source_sep=2.5)[:-1, :, 2:]
    np.testing.assert_allclose(np.linalg.norm(voices, axis=-1), 2.5, rtol=1e-14)
    assert len(np.unique(voices.reshape(-1, 2).round(6), axis=0)) == 5


def test_speakers_add_gaussian_noise_of_the_asked_size():
    X, y, sources = make_speakers(3000, noise=0.2, random_state=0)
    residual = (X - noiseless_means()[sources, y]) / 0.2
    assert stats.kstest(residual.ravel(), "norm").pvalue > 0.01


def test_speakers_repeat_for_the_same_seed_only():
    first, second, other = (make_speakers(60, random_state=seed) for seed in (1, 1, 2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], other[0])


def test_speakers_defeat_a_pooled_linear_model_and_not_one_expert_a_source():
    X, y, sources = make_speakers(3600, random_state=0)
    train = np.arange(len(y)) < 1800
    pooled = LogisticRegression().fit(X[train], y[train]).score(X[~train], y[~train])
    own = [
        LogisticRegression()
        .fit(X[train & (sources == s)], y[train & (sources == s)])
        .score(X[~train & (sources == s)], y[~train & (sources == s)])
        for s in range(6)
    ]
    # Errors are about 13 % pooled and 1.4 % apart; standard errors of either are below 1 %.
    assert 1 - pooled > 0.09
    assert 1 - np.mean(own) < 0.03


def test_last_speaker_is_served_by_the_experts_of_the_others():
    X, y, sources = make_speakers(3600, random_state=0)
    others, last = sources < 5, sources == 5
    experts = [LogisticRegression().fit(X[sources == s], y[sources == s]) for s in range(5)]
    gate = LogisticRegression().fit(X[others], sources[others]).predict_proba(X[last])
    blend = sum(gate[:, [s]] * experts[s].predict_proba(X[last]) for s in range(5))
    # About 2 % of 600 rows, standard error .6 %; the experts alone err on 27 % of foreign rows.
    assert np.mean(blend.argmax(axis=1) != y[last]) < 0.04


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "n_samples=0 must be .* >= 1"),
        ({"n_sources": 2}, ValueError, "n_sources=2 must be .* >= 3"),
        ({"n_sources": 6.0}, ValueError, r"n_sources=6\.0 must be an integer"),
        ({"n_classes": 1}, ValueError, "n_classes=1 must be .* >= 2"),
        ({"spread": -1.0}, ValueError, r"spread=-1\.0 must be .* >= 0"),
        ({"source_sep": float("inf")}, ValueError, "source_sep=inf must be a finite number"),
        ({"noise": None}, TypeError, "noise=None must be a finite number"),
    ],
)
def test_speakers_name_the_argument_they_cannot_use(arguments, error, message):
    with pytest.raises(error, match=message):
        make_speakers(**arguments)


def test_vowels_have_the_design_of_the_paper():
    vowels = make_vowels(random_state=0)
    assert vowels.data.shape == (1520, 4)
    assert vowels.feature_names == ["F0", "F1", "F2", "F3"]
    np.testing.assert_array_equal(np.bincount(vowels.target), np.full(10, 152))
    np.testing.assert_array_equal(np.bincount(vowels.speakers), np.full(76, 20))
    counts = {group: np.sum(vowels.groups == group) // 20 for group in ("man", "woman", "child")}
    assert counts == {"man": 33, "woman": 28, "child": 15}


def test_vowels_keep_each_speaker_in_one_group():
    vowels = make_vowels(random_state=0)
    pairs = {
        (speaker, group) for speaker, group in zip(vowels.speakers, vowels.groups, strict=True)
    }
    assert len(pairs) == 76


@pytest.mark.parametrize(
    ("group", "vowel", "published"),
    [
        ("man", "iy", [136, 270, 2290, 3010]),
        ("woman", "ae", [210, 860, 2050, 2850]),
        ("child", "er", [261, 560, 1820, 2160]),
    ],
)
def test_vowels_without_noise_are_the_published_means(group, vowel, published):
    vowels = make_vowels(tract_noise=0, pitch_noise=0, token_noise=0, random_state=0)
    rows = (vowels.groups == group) & (vowels.target_names[vowels.target] == vowel)
    assert rows.any()
    np.testing.assert_array_equal(vowels.data[rows], np.broadcast_to(published, (rows.sum(), 4)))


def scatter(vowels):
    """Logs of the ratios of `vowels` to the published means, (n, 4)."""
    means = make_vowels(tract_noise=0, pitch_noise=0, token_noise=0, random_state=0)
    return np.log(vowels.data / means.data)


def test_vowels_of_a_speaker_share_one_vocal_tract_and_one_pitch():
    logs = scatter(make_vowels(token_noise=0.0, tract_noise=0.1, pitch_noise=0.2, random_state=0))
    by_speaker = logs.reshape(76, 20, 4)
    # rounding of the exponential and the logarithm
    np.testing.assert_allclose(by_speaker, by_speaker[:, :1].repeat(20, axis=1), atol=1e-14)
    np.testing.assert_allclose(logs[:, 1], logs[:, 2], atol=1e-14)
    np.testing.assert_allclose(logs[:, 1], logs[:, 3], atol=1e-14)
    assert stats.kstest(by_speaker[:, 0, 1] / 0.1, "norm").pvalue > 0.01
    assert stats.kstest(by_speaker[:, 0, 0] / 0.2, "norm").pvalue > 0.01


def test_vowels_scatter_each_token_by_the_asked_size():
    logs = scatter(make_vowels(token_noise=0.07, tract_noise=0, pitch_noise=0, random_state=0))
    assert stats.kstest(logs.ravel() / 0.07, "norm").pvalue > 0.01


def test_vowels_repeat_as_often_as_asked():
    vowels = make_vowels(n_repetitions=3, random_state=0)
    cells = np.unique(np.column_stack([vowels.speakers, vowels.target]), axis=0, return_counts=True)
    np.testing.assert_array_equal(cells[1], np.full(760, 3))


def test_vowels_return_the_pair_of_the_bunch_on_request():
    vowels = make_vowels(random_state=5)
    X, y = make_vowels(random_state=5, return_X_y=True)
    np.testing.assert_array_equal(X, vowels.data)
    np.testing.assert_array_equal(y, vowels.target)


def test_vowels_cite_their_table():
    assert "Peterson & Barney (1952), table II" in make_vowels(random_state=0).DESCR


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_repetitions": 0}, ValueError, "n_repetitions=0 must be .* >= 1"),
        ({"tract_noise": -0.1}, ValueError, r"tract_noise=-0\.1 must be .* >= 0"),
        ({"pitch_noise": float("nan")}, ValueError, "pitch_noise=nan must be a finite number"),
        ({"token_noise": "a"}, TypeError, "token_noise='a' must be a finite number"),
    ],
)
def test_vowels_name_the_argument_they_cannot_use(arguments, error, message):
    with pytest.raises(error, match=message):
        make_vowels(**arguments)
