"""Classification problems whose rows come from several sources, such as speakers.

Each source has its own way of producing the classes, and a row tells something of its source. That
is the setting of Meta-Pi (Hampshire & Waibel 1992): experts trained on one source each, blended by
a gate that is never told the source.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch, check_random_state

from moe_classic._arguments import check_integer, check_real

__all__ = ["make_speakers", "make_vowels"]

FEATURES = ("F0", "F1", "F2", "F3")
VOWELS = ("iy", "ih", "eh", "ae", "aa", "ao", "uh", "uw", "ah", "er")
SPEAKERS = {"man": 33, "woman": 28, "child": 15}

# Peterson & Barney (1952), table II: means in Hz over the speakers of a group, vowels as in VOWELS.
MEANS = np.array(
    [
        [  # F0
            [136, 135, 130, 127, 124, 129, 137, 141, 130, 133],
            [235, 232, 223, 210, 212, 216, 232, 231, 221, 218],
            [272, 269, 260, 251, 256, 263, 276, 274, 261, 261],
        ],
        [  # F1
            [270, 390, 530, 660, 730, 570, 440, 300, 640, 490],
            [310, 430, 610, 860, 850, 590, 470, 370, 760, 500],
            [370, 530, 690, 1010, 1030, 680, 560, 430, 850, 560],
        ],
        [  # F2
            [2290, 1990, 1840, 1720, 1090, 840, 1020, 870, 1190, 1350],
            [2790, 2480, 2330, 2050, 1220, 920, 1160, 950, 1400, 1640],
            [3200, 2730, 2610, 2320, 1370, 1060, 1410, 1170, 1590, 1820],
        ],
        [  # F3
            [3010, 2550, 2480, 2410, 2440, 2410, 2240, 2240, 2390, 1690],
            [3310, 3070, 2990, 2850, 2810, 2710, 2680, 2670, 2780, 1960],
            [3730, 3600, 3570, 3320, 3170, 3180, 3310, 3260, 3360, 2160],
        ],
    ],
    dtype=np.float64,
)


def make_speakers(
    n_samples: int = 1800,
    *,
    n_sources: int = 6,
    n_classes: int = 3,
    spread: float = 100.0,
    source_sep: float = 1.5,
    noise: float = 0.35,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Draw a classification problem spoken by several sources, the last in the span of others.

    The form is that of the Meta-Pi experiments, six speakers of three consonants. Class ``c`` of
    source ``s`` is Gaussian around a mean of four coordinates::

        cos(a_s + 2 pi c / C),  sin(a_s + 2 pi c / C)     what is said: a pattern of C classes,
                                                          turned by the speaker's angle a_s
        v cos(2 pi s / (S - 1)),  v sin(2 pi s / (S - 1)) who says it: the speaker's voice

    for all sources but the last, with ``v = source_sep`` and angles ``a_s`` evenly spaced over
    `spread`. The means of the last source lie half way between those of two neighbours,
    ``(S - 2) // 2`` and the next, so that experts of these two serve it without one of its own.

    Parameters
    ----------
    n_samples : int, default=1800
        Number of rows, split over sources and classes as evenly as can be.
    n_sources : int, default=6
        Number of sources ``S``, at least 3.
    n_classes : int, default=3
        Number of classes ``C``, at least 2.
    spread : float, default=100.0
        Angle in degrees between the patterns of the first source and of the last but one. The
        larger, the worse one pooled model; 0 gives all sources the same classes.
    source_sep : float, default=1.5
        Radius of the circle of voices: how well a row tells its source.
    noise : float, default=0.35
        Standard deviation of each coordinate; the classes lie on a circle of radius 1.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows. The means do not depend on it.

    Returns
    -------
    X : ndarray of shape (n_samples, 4)
        Coordinates: the pattern (columns 0, 1) and the voice (columns 2, 3), in random row order.
    y : ndarray of shape (n_samples,)
        Class ``0, ..., n_classes - 1``.
    sources : ndarray of shape (n_samples,)
        Source ``0, ..., n_sources - 1``.

    Raises
    ------
    ValueError, TypeError
        If a count is not an integer or too small, a number is not finite, or `spread`,
        `source_sep` or `noise` is negative.

    References
    ----------
    Hampshire, J. B. and Waibel, A. (1992), "The Meta-Pi network: building distributed knowledge
    representations for robust multisource pattern recognition", *IEEE Transactions on Pattern
    Analysis and Machine Intelligence* 14, 751-769.

    Examples
    --------
    >>> from moe_classic.datasets import make_speakers
    >>> X, y, sources = make_speakers(180, random_state=0)
    >>> X.shape, y.shape, sources.shape
    ((180, 4), (180,), (180,))
    """
    check_integer("n_samples", n_samples, 1, "rows to draw")
    check_integer("n_sources", n_sources, 3, "sources of data")
    check_integer("n_classes", n_classes, 2, "classes of y")
    for value, name in ((spread, "spread"), (source_sep, "source_sep"), (noise, "noise")):
        check_real(name, value, 0.0, "a standard deviation")
    rng = check_random_state(random_state)
    means = _speaker_means(n_sources, n_classes, np.deg2rad(spread), source_sep)
    cells = rng.permutation(np.arange(n_samples) % (n_sources * n_classes))
    y, sources = np.divmod(cells, n_sources)
    X = means[sources, y] + noise * rng.standard_normal((n_samples, 4))
    return X, y, sources


def _speaker_means(
    n_sources: int, n_classes: int, spread: float, source_sep: float
) -> NDArray[np.float64]:
    """Means (n_sources, n_classes, 4) of the classes of each source; `spread` in radians."""
    turns = spread * np.linspace(-0.5, 0.5, n_sources - 1)
    pattern = turns[:, None] + 2.0 * np.pi * np.arange(n_classes) / n_classes
    voice = 2.0 * np.pi * np.arange(n_sources - 1)[:, None] / (n_sources - 1)
    coordinates = np.broadcast_arrays(
        np.cos(pattern), np.sin(pattern), source_sep * np.cos(voice), source_sep * np.sin(voice)
    )
    own = np.stack(coordinates, axis=-1)
    neighbour = (n_sources - 2) // 2
    return np.concatenate([own, own[neighbour : neighbour + 2].mean(axis=0, keepdims=True)])


def make_vowels(
    *,
    n_repetitions: int = 2,
    tract_noise: float = 0.05,
    pitch_noise: float = 0.12,
    token_noise: float = 0.09,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw formants of the ten American English vowels around the published group means.

    As in Peterson & Barney (1952), 33 men, 28 women and 15 children say each vowel twice. The means
    are those of their table II; the scatter around them is simulated. Of speaker ``s`` in group
    ``g``, saying vowel ``v``::

        F0      = mean[g, v] * exp(pitch_noise * a_s + token_noise * e)
        F1..F3  = mean[g, v] * exp(tract_noise * b_s + token_noise * e)

    with ``a_s``, ``b_s`` standard normal and shared by all tokens of the speaker, and ``e``
    standard normal, new for each number. One factor for all formants is the vocal tract's length.

    Parameters
    ----------
    n_repetitions : int, default=2
        How often each speaker says each vowel.
    tract_noise : float, default=0.05
        Standard deviation, between speakers of a group, of the log vocal tract scale.
    pitch_noise : float, default=0.12
        Standard deviation, between speakers of a group, of the log pitch.
    token_noise : float, default=0.09
        Standard deviation of the log of each measured frequency around its speaker's own mean.
    random_state : int, RandomState instance or None, default=None
        Seed of speakers and tokens.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    Bunch or tuple
        A Bunch, rows ordered by speaker, vowel and repetition, with ``n = 760 * n_repetitions``:

        - ``data`` (n, 4): F0, F1, F2, F3 in Hz; ``feature_names``.
        - ``target`` (n,): vowel ``0, ..., 9``; ``target_names``: its ARPABET symbol, in the order
          heed, hid, head, had, hod, hawed, hood, who'd, hud, heard.
        - ``speakers`` (n,): ``0, ..., 75``, men, then women, then children. Pass it as ``groups``
          to a cross-validation that must not see a speaker twice.
        - ``groups`` (n,): ``"man"``, ``"woman"`` or ``"child"``.
        - ``DESCR``.

        The pair ``(data, target)`` if `return_X_y`.

    Raises
    ------
    ValueError, TypeError
        If `n_repetitions` is not a positive integer, or a noise is negative or not finite.

    References
    ----------
    Peterson, G. E. and Barney, H. L. (1952), "Control methods used in a study of the vowels",
    *Journal of the Acoustical Society of America* 24, 175-184, table II.

    Examples
    --------
    >>> from moe_classic.datasets import make_vowels
    >>> vowels = make_vowels(random_state=0)
    >>> vowels.data.shape, len(vowels.target_names)
    ((1520, 4), 10)
    """
    check_integer("n_repetitions", n_repetitions, 1, "times that each word is said")
    noises = {"tract_noise": tract_noise, "pitch_noise": pitch_noise, "token_noise": token_noise}
    for name, value in noises.items():
        check_real(name, value, 0.0, "a standard deviation")
    rng = check_random_state(random_state)
    group_of_speaker = np.repeat(np.arange(len(SPEAKERS)), list(SPEAKERS.values()))
    n_speakers = len(group_of_speaker)
    speakers = np.repeat(np.arange(n_speakers), len(VOWELS) * n_repetitions)
    target = np.tile(np.repeat(np.arange(len(VOWELS)), n_repetitions), n_speakers)

    pitch, tract = rng.standard_normal((2, n_speakers)) * [[pitch_noise], [tract_noise]]
    log_scale = np.column_stack([pitch, tract, tract, tract])[speakers]
    log_scale += token_noise * rng.standard_normal(log_scale.shape)
    data = MEANS[:, group_of_speaker[speakers], target].T * np.exp(log_scale)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        feature_names=list(FEATURES),
        target_names=np.array(VOWELS),
        speakers=speakers,
        groups=np.array(list(SPEAKERS))[group_of_speaker[speakers]],
        DESCR=(
            "Simulated formants (Hz) of ten American English vowels, around the group means of "
            "Peterson & Barney (1952), table II."
        ),
    )
