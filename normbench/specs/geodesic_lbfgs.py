"""Declaration of geodesic L-BFGS: our own automatic method at a Lipschitz bound."""

from normbench.specs.base import Constant, Geometry, Hyperparameter, LineDerivatives, OptimiserSpec

# From so many rows on, the longer side of a matrix has the diagonal of its average alone, and steps of a lift are kept
# as they are, unprojected.
WIDE = 96

GEODESIC_LBFGS = OptimiserSpec(
    key="geodesic_lbfgs",
    title="Geodesic L-BFGS",
    paper="this project",
    equations="L-BFGS (Nocedal and Wright, algorithm 7.4) on Stiefel manifolds; arXiv 2312.10672, eq. 7-8, Algorithm 2",
    full_batch=True,
    geometries=(Geometry.STIEFEL, Geometry.SPHERE),
    parametrisation="sandwich",
    line_derivatives=LineDerivatives.START,
    stable=10,
    hyperparameters=(
        Hyperparameter("history", 30, 1, 1000, "pairs of steps and gradient differences that are kept"),
        Hyperparameter("decay", 0.9, 0.0, 1.0, "of the averages of G G^T and G^T G that make the metric"),
        Hyperparameter("damping", 1e-2, 1e-12, 1.0, "added to the averages, in units of their mean eigenvalue"),
        Hyperparameter("max_trials", 20, 1, 100, "points of a line search; then the memory is given up"),
    ),
    constants=(
        Constant("radius", None, "largest norm of every matrix; None for the one that it has at the start"),
        Constant(
            "manifold", "ball", "which norm the radius bounds: ball, the operator norm; sphere, the Frobenius norm"
        ),
    ),
    state=(
        "lift Q_i = [P_i; V_i] of every variable",
        "pairs s, y in the tangent spaces of their time; of a wide lift the step as it is",
        "averages L, R of G G^T and G^T G; of a wide side the diagonal",
    ),
    invariants=(
        "Q_i^T Q_i = I, so that ||P_i||_op <= 1 at every iterate",
        "the loss never rises",
        "the certificate of every iterate is at most the bound",
    ),
    notes=(
        "The first iteration and the one behind a restart go to the minimum of the Taylor polynomial of order 2 along "
        "-Proj(L^(-1/2) G R^(-1/2)), at most pi/6; the others take the step 1, at most pi/3. A curvature that is not "
        "positive, or a slope that is not negative, leaves the trust angle.",
        "A step is taken where f <= f_0 + 1e-4 t <G, D>, else cut to the minimum of the parabola of f_0, slope and f, "
        "by 0.1 to 0.5; a loss that is not finite cuts by 0.1.",
        "After max_trials points the memory is given up once; if it was empty the run ends as stalled.",
        "The curve is R(t) = (Q + t D) ((Q + t D)^T (Q + t D))^(-1/2). In torch and JAX what rounding adds up is "
        "taken back where L and R get their roots, and behind large steps.",
        "s and y are projected onto the tangent space where the step ended, and not transported after that. Of a lift "
        f"of {WIDE} rows or more s stays the difference that it is: that saves two products, s is only multiplied "
        "with tangent vectors, and what it adds to a direction is projected.",
        "A pair with <s, y> <= 1e-6 ||s|| ||y|| is left out.",
        "L and R get their roots in the first eleven iterations and then in every tenth.",
        f"Where the longer side of a matrix has {WIDE} rows or more, the diagonal stands for its average: wide "
        "networks overfit less so, and an iteration costs less.",
        "A variable that never had a gradient rests.",
        "H0 = L^(-1/2) (x) R^(-1/2): with these exponents the factors are near the best Kronecker product for the "
        "curvature (arXiv 2406.17748). Shampoo's own, 1/4, lower training losses less in as many steps.",
    ),
)
