# SPDX-License-Identifier: MIT
"""Runs held against each other, or against what a team knows already: what is worse, better, or else different."""
