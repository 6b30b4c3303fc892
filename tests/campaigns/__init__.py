# SPDX-License-Identifier: MIT
"""Real campaigns that are disturbed, held against one that was left alone: `make disturbed`."""
