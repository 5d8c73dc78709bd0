"""Declaration of method 1: a Hessian-free step along the geodesic (arXiv 2312.10672, section 3.2.1)."""

import math

from normbench.specs.base import Constant, Geometry, Hyperparameter, LineDerivatives, OptimiserSpec

METHOD1 = OptimiserSpec(
    key="method1",
    title="Method 1",
    paper="arXiv 2312.10672",
    equations="eq. 5-8, Algorithm 2",
    geometries=(Geometry.SPHERE,),
    parametrisation="sphere",
    line_derivatives=LineDerivatives.ALWAYS,
    hyperparameters=(
        Hyperparameter("order", 2, 2, 4, "order r of the Taylor polynomial of the loss along the curve, eq. 7"),
        Hyperparameter("trust_region", math.pi / 6, 1e-6, 2 * math.pi, "largest step eps, in radians"),
        Hyperparameter("max_halvings", 20, 0, 100, "how often a step may be halved to keep the loss monotone; 0 = off"),
    ),
    constants=(Constant("radius", 1.0, "how far a parameter that lies on no sphere, a bias, moves per radian"),),
    state=("radii mu_i = ||W_i||_F at the start",),
    invariants=(
        "||W_i||_F = mu_i",
        "<W_i, V_i> = 0 and ||V_i||_F = 1 for every moving layer",
        "the loss never rises while max_halvings > 0",
        "the step size is invariant to a rescaling of the loss",
    ),
    notes=(
        "tau is halved while the loss at tau exceeds the last accepted loss (the authors' code, not the paper). "
        "After max_halvings the layer stays where it was, tau is 0 and the run ends as stalled.",
        "Where the loss or one of its derivatives at the start is not finite, tau is NaN and so are the layers that "
        "move: the run ends as diverged. A loss at a trial point that is not finite is one that rises.",
        "The loss evaluation of the accepted step is the forward pass of the next iteration.",
        "A layer whose projected gradient is at most 10 eps ||G_i||_F (rounding of a zero) rests: "
        "V_i = 0 and Gamma_i(t) = W_i, because W_i cos t alone would leave the sphere.",
        "After the exponential map every moving layer is scaled back to radius mu_i: this removes rounding only.",
        "At order 3 and 4 tau is the global minimiser of the polynomial on [0, eps], not Algorithm 2.",
    ),
)
