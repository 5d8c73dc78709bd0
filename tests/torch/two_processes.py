"""Train in two processes and in one, and print what every case makes of it as JSON; test_torch_data_parallel runs it.

``python two_processes.py FOLDER`` is the first process and makes the second itself, on Linux with what it has imported.
Both run the folder's ``page.py`` as ``torchrun`` would; what it prints is among the results.
"""

import contextlib
import io
import json
import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import data_parallel
import sharded_parameters
import torch
from sklearn import datasets
from torch import distributed

WORLD = 2


def work(folder, rank):
    torch.set_num_threads(1)
    printed = page(folder, rank)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=WORLD, timeout=timedelta(seconds=60)
    )
    results = {
        "samples": data_parallel.deviations(rank, WORLD),
        "parameters": sharded_parameters.deviations(WORLD),
        "printed": printed,
    }
    if rank == 0:
        Path(folder, "results.json").write_text(json.dumps(results))
    distributed.destroy_process_group()


def page(folder, rank):
    """What the program of a page prints; ``env://``, its way to meet, reads these."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(WORLD), "MASTER_ADDR": "localhost"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(Path(folder, "page.py")), run_name="__main__")
    return printed.getvalue()


def free_port():
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def main():
    if len(sys.argv) > 2:
        work(sys.argv[1], int(sys.argv[2]))
        return
    os.environ["MASTER_PORT"] = str(free_port())
    if sys.platform != "linux":
        with subprocess.Popen([sys.executable, __file__, sys.argv[1], "1"]) as other:
            work(sys.argv[1], 0)
        sys.exit(other.returncode)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # the machine's own name may have no address
    torch.optim.SGD([torch.zeros(1)])  # imports what the first optimiser does
    datasets.load_digits()  # and what the page does
    torch.func.jvp(torch.tanh, (torch.ones(1),), (torch.ones(1),))  # and what forward mode does
    other = multiprocessing.get_context("fork").Process(target=work, args=(sys.argv[1], 1), daemon=True)
    other.start()
    work(sys.argv[1], 0)
    other.join()
    sys.exit(other.exitcode)


if __name__ == "__main__":
    main()
