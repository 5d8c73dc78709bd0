"""Train in two processes and in one, and print what every case makes of it as JSON; test_torch_data_parallel runs it.

``python two_processes.py FOLDER`` is the first process and starts the second itself.
"""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import data_parallel
import sharded_parameters
import torch
from torch import distributed

WORLD = 2


def work(folder, rank):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=WORLD, timeout=timedelta(seconds=60)
    )
    results = {"samples": data_parallel.deviations(rank, WORLD), "parameters": sharded_parameters.deviations(WORLD)}
    if rank == 0:
        Path(folder, "results.json").write_text(json.dumps(results))
    distributed.destroy_process_group()


def main():
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # the machine's own name may have no address
    if len(sys.argv) > 2:
        work(sys.argv[1], int(sys.argv[2]))
        return
    with subprocess.Popen([sys.executable, __file__, sys.argv[1], "1"]) as other:
        work(sys.argv[1], 0)
    sys.exit(other.returncode)


if __name__ == "__main__":
    main()
