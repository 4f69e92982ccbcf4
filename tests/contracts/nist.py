"""Linear regression sets of NIST's Statistical Reference Datasets, with their certified values.

National Institute of Standards and Technology, Statistical Reference Datasets, Linear Regression,
https://www.itl.nist.gov/div898/strd/lls/lls.shtml. Longley's table comes with statsmodels.
"""

from dataclasses import dataclass
from fractions import Fraction

#: y and x in turn.
_NORRIS = """
.1 .2 338.8 337.4 118.1 118.2 888.0 884.6 9.2 10.1 228.1 226.5 668.5 666.3 998.5 996.3
449.1 448.6 778.9 777.0 559.2 558.2 .3 .4 .1 .6 778.1 775.5 668.8 666.9 339.3 338.0
448.9 447.5 10.8 11.6 557.7 556.0 228.3 228.1 998.0 995.8 888.8 887.6 119.6 120.2 .3 .3
.6 .3 557.6 556.8 339.3 339.1 888.0 887.2 998.5 999.0 778.9 779.0 10.2 11.1 117.6 118.3
228.9 229.2 668.4 669.1 449.2 448.9 .2 .5
"""
#: y at 150000, 300000, ... 3000000, twice.
_PONTIUS = """
.11019 .21956 .32949 .43899 .54803 .65694 .76562 .87487 .98292 1.09146
1.20001 1.30822 1.41599 1.52399 1.63194 1.73947 1.84646 1.95392 2.06128 2.16844
.11052 .22018 .32939 .43886 .54798 .65739 .76596 .87474 .98300 1.09150
1.20004 1.30818 1.41613 1.52408 1.63159 1.73965 1.84696 1.95445 2.06177 2.16829
"""
_WAMPLER3 = """
760 -2042 2111 -1684 3888 1858 11379 17560 39287 64382 113159 175108 273291 400186 581243
811568 1121004 1506550 2002767 2611612 3369180
"""
_WAMPLER4 = """
75901 -204794 204863 -204436 253665 -200894 214131 -185192 221249 -138370 315911 -27644
455253 197434 783995 608816 1370781 1303798 2205519 2408860 3444321
"""
_WAMPLER5 = """
7590001 -20479994 20480063 -20479636 25231365 -20476094 20489331 -20460392 18417449
-20413570 20591111 -20302844 18651453 -20077766 21059195 -19666384 26348481 -18971402
22480719 -17866340 10958421
"""
_FILIP = """
.8116 -6.860120914 .9072 -4.324130045 .9052 -4.358625055 .9039 -4.358426747
.8053 -6.955852379 .8377 -6.661145254 .8667 -6.355462942 .8809 -6.118102026
.7975 -7.115148017 .8162 -6.815308569 .8515 -6.519993057 .8766 -6.204119983
.8885 -5.853871964 .8859 -6.109523091 .8959 -5.79832982 .8913 -5.482672118
.8959 -5.171791386 .8971 -4.851705903 .9021 -4.517126416 .909 -4.143573228
.9139 -3.709075441 .9199 -3.499489089 .8692 -6.300769497 .8872 -5.953504836
.89 -5.642065153 .891 -5.031376979 .8977 -4.680685696 .9035 -4.329846955
.9078 -3.928486195 .7675 -8.56735134 .7705 -8.363211311 .7713 -8.107682739
.7736 -7.823908741 .7775 -7.522878745 .7841 -7.218819279 .7971 -6.920818754
.8329 -6.628932138 .8641 -6.323946875 .8804 -5.991399828 .7668 -8.781464495
.7633 -8.663140179 .7678 -8.473531488 .7697 -8.247337057 .77 -7.971428747
.7749 -7.676129393 .7796 -7.352812702 .7897 -7.072065318 .8131 -6.774174009
.8498 -6.478861916 .8741 -6.159517513 .8061 -6.835647144 .846 -6.53165267
.8751 -6.224098421 .8856 -5.910094889 .8919 -5.598599459 .8934 -5.290645224
.894 -4.974284616 .8957 -4.64454848 .9047 -4.290560426 .9129 -3.885055584
.9209 -3.408378962 .9219 -3.13200249 .7739 -8.726767166 .7681 -8.66695597
.7665 -8.511026475 .7703 -8.165388579 .7702 -7.886056648 .7761 -7.588043762
.7809 -7.283412422 .7961 -6.995678626 .8253 -6.691862621 .8602 -6.392544977
.8809 -6.067374056 .8301 -6.684029655 .8664 -6.378719832 .8834 -6.065855188
.8898 -5.752272167 .8964 -5.132414673 .8963 -4.811352704 .9074 -4.098269308
.9119 -3.66174277 .9228 -3.2644011
"""


@dataclass(frozen=True)
class Certified:
    """Rows as exact fractions, and what NIST certifies: intercept first."""

    X: list[list[Fraction]]
    y: list[Fraction]
    coef: list[float]
    sd: float
    se: list[float]
    intercept: bool = True


def _numbers(text: str) -> list[Fraction]:
    return [Fraction(word) for word in text.split()]


def _powers(x: list[Fraction], degree: int) -> list[list[Fraction]]:
    return [[v**k for k in range(1, degree + 1)] for v in x]


def _pairs(text: str, degree: int, *certified: object) -> Certified:
    values = _numbers(text)
    return Certified(_powers(values[1::2], degree), values[::2], *certified)  # type: ignore[arg-type]


def _wampler(y: list[Fraction], coef: list[float], sd: float, unit: float) -> Certified:
    se = [2152.32624678170, 2363.55173469681, 779.343524331583, 101.475507550350]
    se += [5.64566512170752, 0.112324854679312]
    X = _powers([Fraction(i) for i in range(21)], 5)
    return Certified(X, y, coef, sd, [unit * s for s in se])


def _polynomial(base: Fraction) -> list[Fraction]:
    return [sum(((base * i) ** k for k in range(6)), Fraction(0)) for i in range(21)]


_TENTHS = [1.0, 0.1, 0.01, 0.001, 0.0001, 0.00001]
_STEPS = [Fraction(150000 * i) for i in range(1, 21)] * 2

SETS = {
    "Norris": _pairs(
        _NORRIS,
        1,
        [-0.262323073774029, 1.00211681802045],
        0.884796396144373,
        [0.232818234301152, 0.429796848199937e-3],
    ),
    "Pontius": Certified(
        _powers(_STEPS, 2),
        _numbers(_PONTIUS),
        [0.673565789473684e-3, 0.732059160401003e-6, -0.316081871345029e-14],
        0.205177424076185e-3,
        [0.107938612033077e-3, 0.157817399981659e-9, 0.486652849992036e-16],
    ),
    "NoInt1": Certified(
        [[Fraction(x)] for x in range(60, 71)],
        [Fraction(y) for y in range(130, 141)],
        [2.07438016528926],
        3.56753034006338,
        [0.165289256198347e-1],
        intercept=False,
    ),
    "NoInt2": Certified(
        [[Fraction(x)] for x in (4, 5, 6)],
        [Fraction(y) for y in (3, 4, 4)],
        [0.727272727272727],
        0.369274472937998,
        [0.420827318078432e-1],
        intercept=False,
    ),
    "Filip": _pairs(
        _FILIP,
        10,
        [
            -1467.48961422980,
            -2772.17959193342,
            -2316.37108160893,
            -1127.97394098372,
            -354.478233703349,
            -75.1242017393757,
            -10.8753180355343,
            -1.06221498588947,
            -0.670191154593408e-1,
            -0.246781078275479e-2,
            -0.402962525080404e-4,
        ],
        0.334801051324544e-2,
        [],
    ),
    "Wampler1": _wampler(_polynomial(Fraction(1)), [1.0] * 6, 0.0, 0.0),
    "Wampler2": _wampler(_polynomial(Fraction(1, 10)), _TENTHS, 0.0, 0.0),
    "Wampler3": _wampler(_numbers(_WAMPLER3), [1.0] * 6, 2360.14502379268, 1.0),
    "Wampler4": _wampler(_numbers(_WAMPLER4), [1.0] * 6, 236014.502379268, 100.0),
    "Wampler5": _wampler(_numbers(_WAMPLER5), [1.0] * 6, 23601450.2379268, 10000.0),
}

LONGLEY = (
    [
        -3482258.63459582,
        15.0618722713733,
        -0.358191792925910e-1,
        -2.02022980381683,
        -1.03322686717359,
        -0.511041056535807e-1,
        1829.15146461355,
    ],
    304.854073561965,
    [
        890420.383607373,
        84.9149257747669,
        0.334910077722432e-1,
        0.488399681651699,
        0.214274163161675,
        0.226073200069370,
        455.478499142212,
    ],
)


def solved(Z: list[list[Fraction]], y: list[Fraction]) -> tuple[list[Fraction], Fraction, list]:
    """Least squares in exact arithmetic: coefficients, sum of squares, diagonal of the inverse."""
    q = len(Z[0])
    gram = [[sum(r[i] * r[j] for r in Z) for j in range(q)] for i in range(q)]
    right = [sum(r[i] * v for r, v in zip(Z, y, strict=True)) for i in range(q)]
    rows = [gram[i] + [Fraction(i == j) for j in range(q)] + [right[i]] for i in range(q)]
    for i in range(q):
        rows[i] = [a / rows[i][i] for a in rows[i]]
        for k in range(q):
            if k != i:
                rows[k] = [a - rows[k][i] * b for a, b in zip(rows[k], rows[i], strict=True)]
    coef = [row[-1] for row in rows]
    left = [v - sum(c * z for c, z in zip(coef, r, strict=True)) for r, v in zip(Z, y, strict=True)]
    return coef, sum(e * e for e in left), [rows[i][q + i] for i in range(q)]
