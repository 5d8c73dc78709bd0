"""What git says of this repository."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def git(*arguments: str) -> str:
    """What a command of git prints, without the blanks around it; an error of git's is one here."""
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], text=True, capture_output=True, check=True
    ).stdout.strip()
