# SPDX-License-Identifier: MIT
"""Faults injected into real runs of `hil`, one a trial, and whether each ended as it should: `make chaos`."""
