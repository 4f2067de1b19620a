"""How Sphinx builds the site; `deploy/site/build` calls it."""

from __future__ import annotations

project = "callbridge"
extensions = ["myst_parser"]
root_doc = "index"
source_suffix = {".md": "markdown"}
language = "en"
# Anchors as GitHub makes them, of all headings that pages link to.
myst_heading_anchors = 4
myst_enable_extensions: list[str] = []
html_theme = "furo"
html_title = "callbridge"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_show_sourcelink = False
html_show_sphinx = False
html_permalinks_icon = "#"
# Code without a language is output or a transcript: no highlighting is guessed.
highlight_language = "text"
# A console block also shows what was printed, and a rules file comes in parts: these are no faults.
suppress_warnings = ["misc.highlighting_failure"]
html_theme_options = {"sidebar_hide_name": False, "navigation_with_keys": True}
