"""A submission of the example package: its ``submission.toml``, and a folder that holds it with the modules."""

import shutil

from ci.submission.metadata import FILE
from tests.plug_ins.conftest import EXAMPLE

SIGNUM = "normbench_example.declared:SIGNUM"
METADATA = f"""
title = "Signum"
optimisers = ["{SIGNUM}"]
install = "package"
source = "https://example.org/signum"
contact = "@your-handle"
description = "Signs of an average of gradients."
"""


def write_submission(folder):
    """What a submission has before its records."""
    folder.mkdir(parents=True)
    (folder / FILE).write_text(METADATA, encoding="utf-8")
    shutil.copytree(EXAMPLE / EXAMPLE.name, folder / "package" / EXAMPLE.name)
    return folder
