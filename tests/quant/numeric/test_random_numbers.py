"""Philox 4x32-10 against its authors' answers, a second implementation, and its law."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quant.numeric.elementary import normal, uniform
from quant.numeric.random_numbers import philox

words = st.integers(0, 2**32 - 1)


def word64(number: int) -> Any:
    """As kernels hold a word."""
    return np.uint64(number)


def draw(counter: tuple[int, int, int, int], key: int) -> tuple[int, ...]:
    c0, c1, c2, c3 = (word64(c) for c in counter)
    return tuple(int(w) for w in philox(c0, c1, c2, c3, word64(key)))


def reference(counter: tuple[int, int, int, int], key: int) -> tuple[int, ...]:
    """Salmon et al. (2011), section 3.3, in Python's unbounded integers."""
    x = list(counter)
    k = [key % 2**32, key >> 32]
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * x[0], 2**32)
        high1, low1 = divmod(0xCD9E8D57 * x[2], 2**32)
        x = [high1 ^ x[1] ^ k[0], low1, high0 ^ x[3] ^ k[1], low0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return tuple(x)


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_known_answers_of_random123(counter: str, key: str, answer: str) -> None:
    """File kat_vectors of the authors' library; the low word of the key comes first."""
    low, high = (int(k, 16) for k in key.split())
    c0, c1, c2, c3 = (int(c, 16) for c in counter.split())
    assert draw((c0, c1, c2, c3), (high << 32) | low) == tuple(int(w, 16) for w in answer.split())


@given(st.tuples(words, words, words, words), st.integers(0, 2**64 - 1))
@settings(max_examples=200, deadline=None)
def test_equals_the_definition_for_any_counter_and_key(counter: tuple[int, int, int, int], key: int) -> None:
    assert draw(counter, key) == reference(counter, key)


def test_no_word_repeats_over_neighbouring_counters_and_keys() -> None:
    """200 draws of four words: the chance that two of 800 words agree is 7e-5."""
    words = [
        word
        for day, path, key in itertools.product(range(10), range(5), (0, 1, 2**32, 2**32 + 1))
        for word in draw((day, path, 0, 0), key)
    ]
    assert len(set(words)) == len(words) == 800


@pytest.mark.parametrize("varied", range(4))
def test_words_are_uniform_along_each_counter(varied: int) -> None:
    words = [
        word
        for i in range(5000)
        for word in draw(tuple(i if j == varied else 7 for j in range(4)), 42)  # pyright: ignore[reportArgumentType]
    ]
    sample = np.array([uniform(word64(w)) for w in words])
    assert stats.kstest(sample, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef(sample[:-1], sample[1:])[0, 1]) < 4 / np.sqrt(len(sample))


def test_normals_have_the_moments_of_the_normal_law() -> None:
    """80,000 of them, each moment within 4 standard errors of the law's."""
    sample = np.array([normal(word64(w)) for i in range(20_000) for w in draw((i, 0, 3, 0), 2**63 - 1)])
    n = len(sample)
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        moment = (sample**power).mean()
        assert abs(moment - mean) < 4 * np.sqrt(variance / n), power
    assert stats.kstest(sample, "norm").pvalue > 1e-4
