"""Declarations of the peers: what a user would pick instead, as a kept library has it, without a copy of our own.

Nothing here has a reference: the libraries' own code is what is compared.
"""

from normbench.specs.base import OTHERS, Family, Geometry, Hyperparameter, OptimiserSpec
from normbench.specs.baselines import UNCONSTRAINED

_FREE = "Declared free of a learning rate by its authors: 1 is a scale that users leave alone."


def _peer(
    key: str,
    title: str,
    paper: str,
    equations: str,
    backends: tuple[str, ...],
    *hyperparameters: Hyperparameter,
    notes: tuple[str, ...] = (),
    full_batch: bool = False,
    unsuited: tuple[tuple[str, str], ...] = (),
) -> OptimiserSpec:
    return OptimiserSpec(
        key=key,
        title=title,
        paper=paper,
        equations=equations,
        family=Family.PEER,
        backends=backends,
        full_batch=full_batch,
        unsuited=unsuited,
        hyperparameters=hyperparameters,
        notes=(*notes, UNCONSTRAINED),
    )


def _scale(meaning: str) -> Hyperparameter:
    return Hyperparameter("learning_rate", 1.0, 0.0, 1e6, meaning)


LBFGS = _peer(
    "lbfgs",
    "L-BFGS",
    "Nocedal and Wright, Numerical Optimization, 1999",
    "torch.optim.LBFGS (strong Wolfe), optax.lbfgs (zoom)",
    ("torch", "jax"),
    Hyperparameter("history", 10, 1, 1000, "pairs of steps and gradient differences that are kept"),
    notes=("An iteration is one direction with its line search; the evaluations of the search are counted.",),
    full_batch=True,
)
PRODIGY = _peer(
    "prodigy",
    "Prodigy",
    "arXiv 2306.06101",
    "pytorch_optimizer.Prodigy, optax.contrib.prodigy",
    ("torch", "jax"),
    _scale("multiplies the estimated distance"),
    notes=(_FREE,),
)
DADAPT_ADAMW = _peer(
    "dadapt_adamw",
    "D-Adaptation AdamW",
    "arXiv 2301.07733",
    "pytorch_optimizer.DAdaptAdam, optax.contrib.dadapt_adamw; no weight decay",
    ("torch", "jax"),
    _scale("multiplies the estimated distance"),
    notes=(_FREE,),
)
DOG = _peer(
    "dog",
    "DoG",
    "arXiv 2302.12022",
    "optax.contrib.dog; the last iterate, not the average",
    ("jax",),
    _scale("multiplies distance over gradients"),
    notes=(_FREE,),
)
MOMO = _peer(
    "momo",
    "MoMo",
    "arXiv 2305.07583",
    "optax.contrib.momo, lower bound 0",
    ("jax",),
    _scale("caps the step"),
    notes=("The default cap of 1 is that of the library; the steps that it takes here are far larger than usual.",),
)
SCHEDULE_FREE = _peer(
    "schedule_free",
    "Schedule-free AdamW",
    "arXiv 2405.15682",
    "pytorch_optimizer.ScheduleFreeAdamW, optax.contrib.schedule_free_adamw; no weight decay, no warm-up",
    ("torch", "jax"),
    Hyperparameter(
        "learning_rate", 2.5e-3, 0.0, 1e3, "default of both libraries", (2.5e-4, 2.5e-3, 2.5e-2, 2.5e-1, 2.5)
    ),
    notes=("Losses are those of the averaged weights x; the gradient is taken at y, in a pass of its own.",),
)
MUON = _peer(
    "muon",
    "Muon",
    "Jordan et al., Muon, 2024",
    "torch.optim.Muon, optax.contrib.muon; Nesterov momentum 0.95, five Newton-Schulz steps, no weight decay",
    ("torch", "jax"),
    Hyperparameter("learning_rate", 1e-3, 0.0, 1e3, "default of torch.optim.Muon", (1e-4, 1e-3, 1e-2, 1e-1, 1.0)),
    notes=(
        "Every layer, the first and last included, is orthogonalised and scaled by sqrt(max(1, d_k / d_{k-1})).",
        "torch computes the Newton-Schulz steps in bfloat16, so that the backends agree to two digits only.",
    ),
    unsuited=(("sandwich", "takes matrices alone, and the scales psi of the sandwich are vectors"),),
)
# pymanopt's ConjugateGradient is not here: its run() is the whole loop, and what it knows of the last direction is not
# to be had from one call to the next: checkpoints and clocks would be its. What TrustRegions knows is to be had.
RIEMANNIAN_CG = OptimiserSpec(
    key="riemannian_cg",
    title="Riemannian CG",
    paper="arXiv 2005.02819",
    equations="geoopt.optim.RiemannianLineSearch, Polak-Ribiere, strong Wolfe",
    family=Family.PEER,
    backends=("torch",),
    full_batch=True,
    geometries=(Geometry.SPHERE, Geometry.STIEFEL),
    parametrisation="sphere",
    state=("search directions and gradients, transported to where the last step ended",),
    invariants=("||W_i||_F, or the orthonormal columns of [P_i; V_i], at every iterate",),
    notes=(
        "An iteration is one direction with its line search; the evaluations of the search are counted.",
        "On spheres the variables are W_i / ||W_i||_F as vectors; in balls those of geoopt's Stiefel manifold, "
        "Euclidean metric, [P_i; V_i] with orthonormal columns.",
        "Where a search finds no step the run goes on from there along the gradient; it ends as stalled where that "
        "has no step either.",
    ),
)
RIEMANNIAN_TR = OptimiserSpec(
    key="riemannian_tr",
    title="Riemannian trust regions",
    paper="Absil, Baker and Gallivan, Found. Comput. Math. 7, 2007",
    equations="pymanopt.optimizers.TrustRegions, products with the Hessian by differences of gradients (RTR-FD)",
    iterations=100,
    evaluations=2,
    family=Family.PEER,
    backends=("torch",),
    full_batch=True,
    geometries=(Geometry.SPHERE, Geometry.STIEFEL),
    parametrisation="sphere",
    state=("radius of the trust region", "gradient and products with the Hessian where the last step ended"),
    invariants=("||W_i||_F, or the orthonormal columns of [P_i; V_i], at every iterate",),
    notes=(
        "An iteration is one quadratic model, which truncated conjugate gradients minimise in the trust region, and "
        "one step, taken or not. Each product with the Hessian takes a gradient and counts as an evaluation: an "
        "iteration makes 2 or more, and on flights 4 to 7 at first, so that 30 to 50 come to 200 evaluations.",
        "pymanopt's defaults: kappa = 0.1, theta = 1, rho' = 0.1, QR retraction, inner iterations up to the dimension "
        "of the manifold, the largest radius its typical distance, the first an eighth of that. No inner loop was "
        "longer than 23 in 1,000 evaluations on real flights, and a limit of 5 or 10 gains nothing.",
        "pymanopt has no products by differences. As in Manopt (Boumal, RTR-FD, 2015), the gradient at a distance h is "
        "transported back; h is 2^-8, the cube root of float32's rounding, in either precision, where Manopt has "
        "2^-14 in float64: at that fewer kinks of ReLUs lie between, and training losses after 200 evaluations on real "
        "flights are 0.6 to 4.5 % higher.",
        "After a step that was not taken the model is minimised in a smaller region by the same products, which are "
        "remembered; pymanopt evaluates them again.",
        "A step is judged with 1000 roundings of the loss in the run's precision, where pymanopt has those of float64 "
        "and of a loss of at least 1.",
        "Where a step is not taken the weights stay and the radius, which is what is shown as step size, falls to a "
        "quarter. A run ends as stalled where the gradient is 0 or the step below the rounding of the weights.",
        "The variables are those of riemannian_cg, in float64.",
    ),
)
LEVENBERG_MARQUARDT = OptimiserSpec(
    key="levenberg_marquardt",
    title="Levenberg-Marquardt",
    paper="Marquardt, SIAM J. Appl. Math. 11, 1963",
    equations="optimistix.LevenbergMarquardt: (J^T J + lambda I) D = -J^T r; lambda by the classical trust region",
    iterations=50,
    family=Family.PEER,
    backends=("jax",),
    full_batch=True,
    least_squares=True,
    state=("1 / lambda, which is 1 at the start",),
    notes=(
        "An iteration is one J^T J with as many steps as it takes until one is accepted. It counts as an evaluation "
        "for each output, whose gradients are the rows of J, and one for each step; the products and the Cholesky "
        "factor of J^T J, which take most of its time, count nothing.",
        "optimistix solves [J; sqrt(lambda) I] D = [-r; 0] by QR; its own descent and trust region are given J^T J "
        "here, which is made of some samples at a time, and solve the same by Cholesky.",
        UNCONSTRAINED,
    ),
    unsuited=((OTHERS, "has the derivatives of residuals by the plain weights alone"),),
)
