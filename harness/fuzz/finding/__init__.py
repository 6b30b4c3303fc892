# SPDX-License-Identifier: MIT
"""Findings: made smaller on a guest that is there, and written so that they can be run again."""
