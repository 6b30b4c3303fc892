# SPDX-License-Identifier: MIT
"""Fault injection into real runs of `hil`, one fault in each trial, and a check of how each ends: `make chaos`."""
