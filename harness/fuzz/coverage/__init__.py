# SPDX-License-Identifier: MIT
"""What the cases of a campaign have reached: instructions with their operands, helpers, refusals, operations."""
