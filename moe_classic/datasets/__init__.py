"""Bundled tables and generators of problems with a known structure."""

from ._counts import make_counts
from ._generate import make_inverse_sine, make_piecewise_linear
from ._load import load_faithful, load_motorcycle, load_tone
from ._make_moe import make_moe
from ._policies import make_policies
from ._regimes import make_regimes
from ._robot_arm import make_robot_arm
from ._sources import make_speakers, make_vowels

__all__ = [
    "load_faithful",
    "load_motorcycle",
    "load_tone",
    "make_counts",
    "make_inverse_sine",
    "make_moe",
    "make_piecewise_linear",
    "make_policies",
    "make_regimes",
    "make_robot_arm",
    "make_speakers",
    "make_vowels",
]
