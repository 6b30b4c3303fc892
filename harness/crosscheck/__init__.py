# SPDX-License-Identifier: MIT
"""Lanes held against each other, where neither the model nor a clause says what an operation gives."""
