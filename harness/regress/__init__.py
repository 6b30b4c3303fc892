# SPDX-License-Identifier: MIT
"""Comparing runs with each other, or with a list of known divergences: what is worse, better, or else different."""
