"""The site of the documentation: what Sphinx reads is put together here, and what lies beside its pages."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
