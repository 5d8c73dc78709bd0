"""Pairs of geodesic L-BFGS as rows: each stays where it is while it is known, and directions do not notice."""

import pytest
import torch

from normbench.torch.updates import quasi_newton
from normbench.torch.updates.quasi_newton import Pair, PairRows, two_loop, with_pair

ENTRIES = 7


def pair(generator):
    """One of a convex quadratic function, so that it is always kept."""
    s = torch.randn(ENTRIES, generator=generator, dtype=torch.float64)
    y = s * torch.arange(1, ENTRIES + 1)
    return s, y


def walk():
    """Pairs as they come and go: up to five of them, given up once, fewer kept from the 16th on, one put in between."""
    generator, pairs = torch.Generator().manual_seed(1), ()
    for k in range(24):
        pairs = with_pair(() if k == 11 else pairs, *pair(generator), history=5 if k < 16 else 3)
        if k == 20:
            s, y = pair(generator)
            pairs = (pairs[0], Pair(s, y, float(s @ y)), *pairs[1:])
        yield pairs


def products_of(pairs):
    """<s_i, y_j>, i <= j, from the pairs themselves."""
    return (torch.stack([p.s for p in pairs]) @ torch.stack([p.y for p in pairs]).T).triu()


def test_long_pairs_make_the_directions_that_stacked_ones_make(monkeypatch):
    gradient = torch.linspace(-1.0, 2.0, ENTRIES, dtype=torch.float64)
    expected = [two_loop(gradient, pairs, torch.clone, PairRows()) for pairs in walk()]
    monkeypatch.setattr(quasi_newton, "LONG", 1)
    memory = PairRows()
    found = [two_loop(gradient, pairs, torch.clone, memory) for pairs in walk()]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_a_long_pair_stays_in_its_row_and_has_its_products_with_those_before_it(monkeypatch):
    monkeypatch.setattr(quasi_newton, "LONG", 1)
    memory, stands = PairRows(), {}
    for k, pairs in enumerate(walk()):
        rows = memory(pairs)
        torch.testing.assert_close(rows.products.triu(), products_of(pairs))
        now = dict(zip((id(p.s) for p in pairs), rows.order.tolist(), strict=True))
        assert len(set(now.values())) == len(pairs)
        assert k == 20 or all(now[s] == row for s, row in stands.items() if s in now)
        stands = now


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_long_pairs_of_another_length_or_kind_get_rows_of_their_own(monkeypatch, dtype):
    monkeypatch.setattr(quasi_newton, "LONG", 1)
    memory = PairRows()
    *_, last = walk()
    memory(last)
    other = [Pair(s[:3].to(dtype), y[:3].to(dtype), float(s[:3] @ y[:3])) for s, y, _ in last]
    rows = memory(other)
    assert (rows.S.dtype, rows.S.shape[1]) == (dtype, 3)
    torch.testing.assert_close(rows.products.triu(), products_of(other))
