"""How Sphinx makes the site: MyST for Markdown, furo for the looks, nothing that is fetched when a page is read."""

from __future__ import annotations

project = "mailaudit"
extensions = ["myst_parser"]
myst_enable_extensions = ["attrs_inline", "fieldlist"]
myst_heading_anchors = 4
exclude_patterns: list[str] = []
html_theme = "furo"
html_title = "mailaudit"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_theme_options = {"navigation_with_keys": True}
smartquotes = False  # what is typed stays as it is typed
nitpicky = True
