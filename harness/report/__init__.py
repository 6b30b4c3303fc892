# SPDX-License-Identifier: MIT
"""A run for people: one HTML file that needs nothing else, and a summary in Markdown for a CI job's page."""
