"""The look of experts."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from moe_classic.inspection._style import legend_above, line_look, mixed_colors, point_look


def test_first_forty_experts_look_different_as_lines():
    looks = {(look["color"], str(look["linestyle"])) for look in map(line_look, range(40))}
    assert len(looks) == 40


def test_first_colours_are_those_of_okabe_and_ito():
    named = getattr(mpl, "color_sequences", {})
    if "okabe_ito" not in named:
        pytest.skip("matplotlib before 3.11 does not have them")
    known = {to_hex(c).upper() for c in named["okabe_ito"]}
    assert {line_look(k)["color"] for k in range(6)} == known - {"#F0E442", "#000000"}


def test_first_five_experts_are_told_apart_without_colour():
    assert len({str(line_look(k)["linestyle"]) for k in range(5)}) == 5
    assert len({point_look(k)["marker"] for k in range(7)}) == 7


def test_mixed_colour_of_a_sure_row_is_the_experts_own():
    colors = mixed_colors(np.eye(3))
    assert ["#{:02X}{:02X}{:02X}".format(*np.round(255 * c).astype(int)) for c in colors] == [
        line_look(k)["color"] for k in range(3)
    ]


def test_legend_takes_the_columns_that_fit():
    def columns(labels):
        _, ax = plt.subplots(figsize=(6.0, 4.0))
        for label in labels:
            ax.plot([0.0], [0.0], label=label)
        legend_above(ax)
        return ax.get_legend()._ncols

    assert columns(["a", "b", "c", "d"]) == 4
    assert columns(["a very long name of an expert indeed"] * 4) == 1


def test_legend_that_is_too_long_for_a_line_is_read_row_by_row():
    _, ax = plt.subplots(figsize=(3.0, 3.0))
    for label in "abcde":
        ax.plot([0.0], [0.0], label=label * 6)
    legend_above(ax)
    columns = ax.get_legend()._ncols
    assert 1 < columns < 5
    drawn = [t.get_text()[0] for t in ax.get_legend().get_texts()]
    by_column = np.array_split(drawn, columns)
    rows = [column[0] for column in by_column] + [c[1] for c in by_column if len(c) > 1]
    assert "".join(rows) == "abcde"[: len(rows)]


def test_legend_without_entries_is_left_out():
    _, ax = plt.subplots()
    legend_above(ax)
    assert ax.get_legend() is None
