"""How the site is made; docs/README.md tells how to run it. Sources are read from the repository's
root, so that the folders' READMEs are pages, and code is included from where it is."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import page_numbers  # noqa: E402

project = "Limulus"
author = "the authors of Limulus"
html_title = "Limulus"

root_doc = "docs/index"
include_patterns = ["README.md", "CONTRIBUTING.md",
                    "*/README.md", "*/*/README.md", "*/*/*/README.md", "*/*/*/*/README.md",
                    "docs/**.md",
                    "examples/*.cpp", "examples/*/*.cpp", "python/notebooks/*.ipynb"]
exclude_patterns = ["build*", "runs", ".*", "**/.*"]

extensions = ["myst_parser", "limulus_pages", "annotated", "notebooks", "layout", "words"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

html_theme = "furo"
if not page_numbers.program():
    html_theme_options = {
        "announcement": "Built without the program: numbers are stored ones, and the pictures of a "
        "trained network are left out."}
html_static_path = ["_static"]
# The laboratories need the library compiled for a browser, in the folder that this names; ./run
# docs makes it where there is emscripten. Without it the site has no such pages.
if os.environ.get("LIMULUS_LABS"):
    html_static_path += ["labs/static", os.environ["LIMULUS_LABS"]]
else:
    exclude_patterns.append("docs/labs/**")
html_css_files = ["limulus.css"]
html_js_files = ["copy.js"]
html_copy_source = False
html_use_index = False  # nothing is indexed
html_show_sphinx = False
html_show_copyright = False
templates_path = []
# The theme's default follows the reader's system: light or dark.
pygments_style = "default"
pygments_dark_style = "github-dark"
