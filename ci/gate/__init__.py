"""The performance gate: two commits measured in turns with asv, a verdict per benchmark, and what confirms it.

:mod:`~ci.gate.measure` drives asv and reads its result files, :mod:`~ci.gate.verdict` is the statistic,
:mod:`~ci.gate.confirm` measures an alarm again and counts instructions, :mod:`~ci.gate.summary` writes Markdown.
"""
