# SPDX-License-Identifier: MIT
"""How much of what lanes execute is compared with the model in lockstep, and what is not: docs/lockstep-coverage.md."""
