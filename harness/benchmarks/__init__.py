# SPDX-License-Identifier: MIT
"""Benchmarks: ratios, each against a baseline measured in the same run, because absolute times say more of the host."""
