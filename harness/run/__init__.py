# SPDX-License-Identifier: MIT
"""Runs of scripts over a matrix of lanes: a live table, and a run folder with everything needed to repeat it."""
