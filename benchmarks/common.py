"""What every benchmark shares: one thread, fixed problems, warm trainers, and the reasons for what is skipped.

asv runs these files against commits that are older than they are: whatever a commit may lack is imported through
:func:`module` in ``setup``, and the parameters are constants, never read from the package.
"""

import os

# before any backend is imported; JAX's asynchronous dispatch makes identical runs differ by 1.8x
for _name, _value in {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NPROC": "1",  # the size of XLA's pool of threads
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_CPU_ENABLE_ASYNC_DISPATCH": "false",
    "JAX_ENABLE_COMPILATION_CACHE": "false",
}.items():
    os.environ.setdefault(_name, _value)

import dataclasses  # noqa: E402
import shutil  # noqa: E402
from functools import lru_cache  # noqa: E402
from importlib import import_module  # noqa: E402
from types import ModuleType  # noqa: E402
from typing import Any  # noqa: E402

OPTIMISERS = (
    "method1",
    "method2",
    "method2_exp",
    "geodesic_lbfgs",
    "online_lbfgs",
    "polar_average",
    "fromage",
    "lars",
    "agd",
    "fgsgd",
    "adam",
    "sgd",
    "sgd_momentum",
)
BOUNDED = (  # optimiser and parametrisation
    "geodesic_lbfgs sandwich",
    "geodesic_lbfgs ball",
    "online_lbfgs sandwich",
    "polar_average ball",
    "scion ball",
    "muon_cap ball",
    "lbfgs sandwich",
    "adam spectral",
    "adam sandwich",
    "adam bjorck",
)
LIPSCHITZ = 20.0
BACKENDS = ("torch", "jax")
DEVICES = ("cpu", "cuda")

TASK = "quadrotor-sim"
SPLIT = "random"
SEED = 0

LAYERS = {
    "E1": (12, 25, 30, 15, 3),
    "E2": (12, *[35] * 11, 3),  # width 35, depth 12: twelve weight matrices
    "wide": (12, *[512] * 7, 3),
    "mnist": (784, *[256] * 3, 10),
}
SAMPLES = {"E1": None, "E2": None, "wide": 4096, "mnist": None}  # None: every training sample of the task
OTHER_DATA = {"mnist": ("mnist-10k", "official")}  # task and split of a size whose samples are not those of TASK
WARM_UP = 5  # iterations; of those after, hardly one halves a step
_UPDATES = ("spheres", "method2")
BUFFER = 1000  # the most iterations that a trainer made here may do


# where a commit may have what is now elsewhere
_EARLIER = {
    "normbench.problems.scaling": "normbench.normalisation",
    "normbench.problems.tasks": "normbench.tasks",
    "normbench.running.request": "normbench.training.request",
    "normbench.running.run": "normbench.training.run",
    **{f"normbench.{part}.benchmark.trainer": f"normbench.{part}.trainer" for part in (*BACKENDS, "reference")},
    **{f"normbench.{part}.updates.{name}": f"normbench.{part}.{name}" for part in BACKENDS for name in _UPDATES},
}


def module(name: str) -> ModuleType:
    """Import a module of normbench, from where it is today or from where it was before.

    Raises
    ------
    NotImplementedError
        Where the commit under test does not have it; asv then shows n/a. A missing library is an error.
    """
    try:
        return _imported(name)
    except NotImplementedError:
        return _imported(_EARLIER.get(name, name))


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("normbench"):
            raise
        raise NotImplementedError(f"this commit has no {error.name}") from error


def seaborn() -> ModuleType:
    """What draws a figure, or the end with what installs it: ask before anything is measured.

    asv imports the benchmarks in an environment without it.
    """
    try:
        with module("normbench.presentation.libraries").drawing_libraries("the figure", "bench"):
            return import_module("seaborn")
    except module("normbench.errors").BackendUnavailableError as error:
        raise SystemExit(f"Error: {error}") from error


def spec(optimiser: str) -> Any:
    """Declaration of an optimiser; NotImplementedError where the commit does not have it."""
    specs = module("normbench.specs")
    if optimiser not in specs.SPECS:
        raise NotImplementedError(f"this commit has no optimiser {optimiser!r}")
    return specs.get(optimiser)


def require_device(backend: str, device: str) -> None:
    """Select the device before the backend is imported; NotImplementedError where there is none."""
    if device == "cpu":
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        return
    if shutil.which("nvidia-smi") is None:
        raise NotImplementedError("no NVIDIA GPU on this machine")
    if backend == "torch":
        if not import_module("torch").cuda.is_available():
            raise NotImplementedError("this build of torch has no CUDA")
        return
    try:
        import_module("jax").devices("cuda")
    except RuntimeError as error:
        raise NotImplementedError(f"this build of jax has no CUDA: {error}") from error


@lru_cache
def problem(size: str, normalisation: Any, seed: int = SEED) -> Any:
    """Normalised samples and initial weights of one of the fixed networks; the same at every call and commit."""
    tasks = module("normbench.problems.tasks")
    options = {"hyperparameters": spec("fgsgd").resolve({})} if normalisation.name == "MANIFOLDS" else {}
    task, split = OTHER_DATA.get(size, (TASK, SPLIT))
    whole = tasks.problem(dataset(task), LAYERS[size], normalisation, split=split, seed=seed, **options)
    count = SAMPLES[size]
    return dataclasses.replace(whole, x_train=whole.x_train[:count], y_train=whole.y_train[:count])


def digits_trainer(optimiser: str, backend: str) -> Any:
    """A trainer of the small convolutional network of ``digits-conv`` after a few iterations."""
    require_device(backend, "cpu")
    tasks = module("normbench.problems.tasks")
    if "digits-conv" not in tasks.TASKS:
        raise NotImplementedError("this commit has no convolutional network")
    task = tasks.get("digits-conv")
    samples = task.dataset()
    network = task.network(samples, task.layers(samples))
    start = tasks.problem(samples, network, spec(optimiser).normalisation, split=SPLIT, seed=SEED)
    made = trainer_of(start, optimiser, backend, device="cpu", dtype="float32", iterations=BUFFER)
    advance(made, WARM_UP)
    return made


def bounded_trainer(way: str, backend: str, size: str = "E1", device: str = "cpu") -> Any:
    """A trainer at a Lipschitz bound after a few iterations; ``way`` is one of BOUNDED."""
    require_device(backend, device)
    optimiser, parametrisation = way.split()
    spec(optimiser)
    running = module("normbench.running.run")
    task, split = OTHER_DATA.get(size, (TASK, SPLIT))
    asked = {"task": task, "layers": LAYERS[size], "split": split, "seed": SEED, "iterations": BUFFER, "device": device}
    try:
        request = module("normbench.running.request").Asked(
            **asked, optimiser=optimiser, backend=backend, lipschitz=LIPSCHITZ, parametrisation=parametrisation
        )
        request = request.resolved()
    except (TypeError, ValueError) as error:
        raise NotImplementedError(f"this commit has no such bound: {error}") from error
    start, count = running.problem_of(request, dataset(task)), SAMPLES[size]
    start = dataclasses.replace(start, x_train=start.x_train[:count], y_train=start.y_train[:count])
    made = running.build_trainer(request, start)
    made.compile()
    advance(made, WARM_UP)
    return made


@lru_cache
def dataset(task: str = TASK) -> Any:
    """The samples of a task, loaded once."""
    return module("normbench.problems.tasks").get(task).dataset()


def trainer(
    size: str,
    optimiser: str,
    backend: str,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    iterations: int = BUFFER,
    samples: int | None = None,
    seed: int = SEED,
) -> Any:
    """A compiled trainer at the start of its run, with the optimiser's default hyperparameters.

    Raises
    ------
    NotImplementedError
        Where the commit or the machine lacks what is asked for.
    """
    require_device(backend, device)
    module(f"normbench.{backend}.benchmark.trainer")  # skips before any data are made
    start = problem(size, spec(optimiser).normalisation, seed)
    if samples is not None:
        start = dataclasses.replace(start, x_train=start.x_train[:samples], y_train=start.y_train[:samples])
    return trainer_of(start, optimiser, backend, device=device, dtype=dtype, iterations=iterations)


def trainer_of(start: Any, optimiser: str, backend: str, *, device: str, dtype: str, iterations: int) -> Any:
    """A compiled trainer of any problem, with the optimiser's default hyperparameters."""
    # the trainers' constructors are as old as the trainers; normbench.running came later
    backend_module = module(f"normbench.{backend}.benchmark.trainer")
    hyper = spec(optimiser).resolve({})
    if backend == "reference":
        return backend_module.ReferenceTrainer(start, optimiser, hyper)
    if backend == "torch":
        return backend_module.TorchTrainer(start, optimiser, hyper, dtype=dtype, device=device)
    made = backend_module.JaxTrainer(start, optimiser, hyper, iterations=iterations, dtype=dtype, device=device)
    made.compile()
    return made


def warm_trainer(size: str, optimiser: str, backend: str, *, device: str = "cpu") -> Any:
    """A trainer after a few iterations: caches filled, line search warm, always in the same state."""
    made = trainer(size, optimiser, backend, device=device)
    advance(made, WARM_UP)
    return made


def advance(running: Any, iterations: int) -> None:
    """Do exactly that many iterations and wait for the device; raise where the run ends early."""
    done = running.advance(iterations)
    if done != iterations:
        raise RuntimeError(f"the run ended after {done} of {iterations} iterations: {running.trajectory().reason}")
