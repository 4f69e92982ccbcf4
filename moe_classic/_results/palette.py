"""One colour an expert, in every picture and card.

Told apart by the colour-blind: Okabe & Ito (2008) without yellow and black, and two dark ones of
Paul Tol.
"""

from __future__ import annotations

EXPERT_COLORS = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # green
    "#CC79A7",  # pink
    "#E69F00",  # orange
    "#56B4E9",  # sky
    "#882255",  # wine
    "#332288",  # indigo
)


def expert_color(k: int) -> str:
    """Colour of expert ``k``, from 0."""
    return EXPERT_COLORS[k % len(EXPERT_COLORS)]
