"""The documentation site: docs/ and the rules' pages as HTML, made by `make docs` (decision 18)."""
