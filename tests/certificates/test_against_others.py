"""LipSDP-Neuron against cvxpy with Clarabel, ECLipsE-Fast against the authors' package."""

import numpy as np
import pytest

from normbench.certificates.eclipse_fast import eclipse_fast
from normbench.certificates.lipsdp import lipsdp
from normbench.certificates.plain import plain
from tests.certificates.networks import gaussian
from tests.certificates.test_bounds import CLARABEL


@pytest.mark.parametrize(("seed", "widths", "value"), [(k, *case) for k, case in enumerate(CLARABEL)][1:])
def test_clarabel_finds_the_same_least_square(seed, widths, value):
    cp = pytest.importorskip("cvxpy")
    weights = gaussian(seed, *widths)
    r, parts = cp.Variable(), [cp.Variable(n) for n in widths[1:-1]]
    blocks = [[np.zeros((a, b)) for b in widths] for a in widths]
    blocks[0][0] = r * np.eye(widths[0])
    for k, weight in enumerate(weights):
        last = k == len(parts)
        blocks[k + 1][k + 1] = np.eye(widths[-1]) if last else 2 * cp.diag(parts[k])
        blocks[k + 1][k] = -weight if last else -(cp.diag(parts[k]) @ weight)
        blocks[k][k + 1] = blocks[k + 1][k].T
    cp.Problem(cp.Minimize(r), [cp.bmat(blocks) >> 0]).solve(solver=cp.CLARABEL)
    assert r.value**0.5 == pytest.approx(value, rel=1e-6)
    assert lipsdp(plain(weights)).bound == pytest.approx(r.value**0.5, rel=2e-6)


@pytest.mark.parametrize(("seed", "widths"), [(k, widths) for k, (widths, _) in enumerate(CLARABEL)])
def test_the_authors_package_has_the_same_eclipse_fast(seed, widths):
    others = pytest.importorskip("eclipse_nn")
    torch = pytest.importorskip("torch")
    weights = gaussian(seed, *widths)
    hidden = len(weights) - 1
    theirs = others.ECLipsE_Fast([torch.tensor(weight) for weight in weights], [0] * hidden, [1] * hidden)
    assert eclipse_fast(plain(weights)).bound == pytest.approx(float(theirs), rel=1e-9)
