# SPDX-License-Identifier: MIT
"""A user's own program in a guest: what it gave, what it attached, what it left behind."""
