"""The report as one self-contained HTML page: leaderboards, charts, and how to make every number again."""

from normbench.presentation.page.build import report_page

__all__ = ["report_page"]
