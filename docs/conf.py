"""Sphinx's settings. ``python -m ci.site`` builds: its sources are a mirror of this repository, put together there."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # ci, which is not installed

from ci.site.links import repository
from normbench import __version__

project = "normbench"
author = "the authors of normbench"
release = version = __version__
language = "en"
smartquotes = False  # --tune and "ball" stay as they are typed

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "sphinx_copybutton",
    "ci.site.docstrings",
    "ci.site.links",
    "ci.site.navigation",
]
exclude_patterns = ["docs/conf.py"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4  # as GitHub makes them, so that one link serves both

# What a parameter is stands in its docstring, with shape and unit: signatures keep names and defaults alone, and types
# are words and no links, so that whatever nitpicky finds is a link that someone wrote.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_param = napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]

nitpicky = True
linkcheck_ignore = [re.escape(found)] if (found := repository()) else []  # files here are checked here

html_theme = "furo"
html_title = f"normbench {version}"
html_static_path = [str(Path(__file__).with_name("_static"))]
html_css_files = ["site.css"]
html_js_files = ["folder.js"]
html_copy_source = False
html_show_copyright = False
copybutton_selector = "div.highlight-bash pre, div.highlight-python pre"
