"""PyTorch as a backend of the benchmark; torch itself is loaded by what is asked for."""

from normbench.backends import Address, Backend


def _threads() -> int:
    import torch

    return int(torch.get_num_threads())


BACKEND = Backend(
    name="torch",
    title="PyTorch",
    libraries=("torch",),
    dtypes=("float32", "float64"),
    devices=("cpu", "cuda"),
    slowness=1.6,  # median of the published boards
    trainer=Address(
        "normbench.torch.benchmark.trainer",
        "TorchTrainer",
        ("dtype", "device", "rows", "feed", "parametrisation", "devices"),
    ),
    plain=Address("normbench.torch.benchmark.plain", "PlainTrainer", ("dtype", "device")),
    players=Address("normbench.torch.benchmark.gan", "TorchPlayers"),
    plug_ins=Address("normbench.torch.updates.plug_ins", "check"),
    usual_settings=Address("normbench.torch.usual", "usual_settings"),
    threads=_threads,
    dash=(1, 0),
    shape="circle",
)
