# SPDX-License-Identifier: MIT
"""The main job: scripts over a matrix of lanes, a live table, and a run folder that says how to repeat it."""
