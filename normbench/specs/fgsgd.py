"""Declaration of FG-SGD: descent on products of weight manifolds (M. Ozay, Algorithm 1)."""

from normbench.specs.base import OTHERS, Constant, Hyperparameter, Normalisation, OptimiserSpec

FGSGD = OptimiserSpec(
    key="fgsgd",
    title="FG-SGD",
    paper='M. Ozay, "Fine-grained Optimization of Deep Neural Networks"',
    equations="Algorithm 1, eq. 2-7",
    normalisation=Normalisation.MANIFOLDS,
    unsuited=((OTHERS, "keeps the weights on manifolds of its own"),),
    hyperparameters=(
        Hyperparameter(
            "learning_rate",
            10.0,
            0.0,
            1e9,
            "r0, the first rate on the unscaled manifolds",
            grid=(3.0, 10.0, 30.0, 100.0, 300.0),
        ),
        Hyperparameter("decay", 0.6, 0.501, 1.0, "the rate falls as r0 / (1 + t)^decay; eq. 4 needs more than 1/2"),
        Hyperparameter(
            "manifold", "sphere", meaning="where each component lives", choices=("sphere", "stiefel", "oblique")
        ),
        Hyperparameter(
            "grouping",
            "pio",
            meaning="channels that are split into sets: input (pi), output (po) or both (pio)",
            choices=("pi", "po", "pio"),
        ),
        Hyperparameter("groups", 2, 1, 4096, "sets per split side of a layer"),
        Hyperparameter("partition_seed", 0, 0, 2**31 - 1, "seeds the index sets"),
    ),
    constants=(Constant("positions", 1, "pixels of the output map of a kernel"),),
    state=("number of steps t", "lambda of each layer, by which its weight is scaled at present"),
    invariants=(
        "every component of W / (gamma / lambda) stays on its manifold",
        "the step on a product of manifolds, r R_g / zeta, never exceeds r (sqrt(2) - 1)",
        "a product of manifolds with a zero gradient stays where it is",
    ),
    notes=(
        "The paper leaves implementation details to its supplement; what follows is pinned here.",
        "The rate is r0 / (1 + t)^decay, t = 0, 1, ...; the paper asks for eq. 4 alone.",
        "Components: the matrix (height, width) of each pair of channels of a kernel, and those of one block of "
        "channels form one product. A matrix or a 1 x 1 kernel has the block itself as its one component.",
        "Index sets: a random permutation of the channels of a side, cut into sets of nearly equal size. The seed, "
        "not the run's seed, draws them, once per layer.",
        "Stiefel: orthonormal columns where a component has no more columns than rows, else orthonormal rows. "
        "Oblique: columns of unit norm, as in Table 2; section 1.1 speaks of orthogonal ones.",
        "Metric: the Euclidean one of the ambient matrices, so the gradient is its orthogonal projection. The "
        "gradient of omega = W / R is R times the gradient of W.",
        "Line 7: the exponential map on sphere and oblique manifold, renormalised against rounding; on the Stiefel "
        "manifold the QR retraction with a positive diagonal of R. QR is orthonormal to rounding for steps of any "
        "length, which an inverse root of the Gram matrix is not, costs less than a singular value decomposition, "
        "and passes NaN on where that fails.",
        "zeta is eq. 7 for all three manifolds; eq. 5 needs the distance to the minimum, which is not known. "
        "Eq. 7 calls it tau, eq. 5 zeta.",
        "lambda is one number per layer, an input of the update: 1 at the first step, never below 1 (section 4.1), "
        "and 1 throughout in the full-batch benchmark. The weights are rescaled when it changes, also where the "
        "gradient is zero. The drop-in classes change it at every step; the paper says every epoch.",
        "The square loss of the benchmark is divided by the squared gain of the initial weights: the scales make it so "
        "small that no rate would do.",
        "gamma counts the fan-in of the whole layer, and its output channels times the pixels of its output map.",
        "Table 2 gives 1, B^(1/4), B^(1/4) for the sum of the Euclidean norms of the rows. By that definition it "
        "lies in [1, sqrt(A)], [B, sqrt(A B)] and [sqrt(B), sqrt(A B)]; the given figures are the square roots of "
        "the Frobenius norms.",
    ),
)
