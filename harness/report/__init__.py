# SPDX-License-Identifier: MIT
"""Reports of a run: one self-contained HTML file, and a summary in Markdown for a CI job's page."""
