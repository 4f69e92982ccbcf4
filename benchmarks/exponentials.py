"""What an exponential takes on this processor: ``python benchmarks/exponentials.py``.

Numpy's own beside two that are put together from its other operations on blocks that stay in cache:
a power of two times a polynomial of degree 11, and times an entry of a table of 256 and a
polynomial of degree 4. Numpy has vector instructions for it on processors with AVX-512 alone; to
see others, set ``NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR"``.
"""

import time
from math import factorial, log

import numpy as np

ROWS, EXPERTS, ROUNDS = 4096, 5, 400
#: log 2 in two parts, the first with so few digits that multiples of it are exact.
HIGH, LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
SIZE = 256
TABLE = 2.0 ** (np.arange(SIZE) / SIZE)


class Exponentials:
    """Exponentials with work arrays of their own."""

    def __init__(self, shape):
        self.out, self.rest, self.steps, self.entry = (np.empty(shape) for _ in range(4))
        self.whole, self.place = (np.empty(shape, dtype=np.int64) for _ in range(2))

    def numpy(self, x):
        """Numpy's own."""
        return np.exp(x, out=self.out)

    def reduced(self, x, parts, degree):
        """Polynomial of what ``x`` is beyond a multiple of log 2 / parts."""
        out, rest, steps = self.out, self.rest, self.steps
        np.rint(np.multiply(x, parts / log(2.0), out=steps), out=steps)
        np.subtract(x, np.multiply(steps, HIGH / parts, out=rest), out=rest)
        np.subtract(rest, np.multiply(steps, LOW / parts, out=out), out=rest)
        out.fill(1.0 / factorial(degree))
        for i in range(degree - 1, -1, -1):
            np.add(np.multiply(out, rest, out=out), 1.0 / factorial(i), out=out)
        np.copyto(self.whole, steps, casting="unsafe")
        return out

    def shifted(self):
        """The polynomial times a power of two, by its exponent."""
        bits = self.out.view(np.int64)
        np.add(bits, np.left_shift(self.whole, 52, out=self.whole), out=bits)
        return self.out

    def polynomial(self, x):
        """Degree 11."""
        self.reduced(x, 1, 11)
        return self.shifted()

    def table(self, x):
        """Degree 4 and a table."""
        out = self.reduced(x, SIZE, 4)
        np.bitwise_and(self.whole, SIZE - 1, out=self.place)
        np.multiply(out, np.take(TABLE, self.place, out=self.entry, mode="clip"), out=out)
        np.right_shift(self.whole, SIZE.bit_length() - 1, out=self.whole)
        return self.shifted()


def main():
    """Nanoseconds of each, and how far they are off."""
    x = -10.0 * np.abs(np.random.default_rng(0).standard_normal((EXPERTS, ROWS)))
    work, right = Exponentials(x.shape), np.exp(x)
    for f in (work.numpy, work.polynomial, work.table):
        seconds = []
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            f(x)
            seconds.append(time.perf_counter() - begun)
        off = np.abs(f(x) / right - 1.0).max()
        print(f"{f.__name__:12} {1e9 * min(seconds) / x.size:6.2f} ns, off by {off:.1e}")


if __name__ == "__main__":
    main()
