# SPDX-License-Identifier: MIT
"""Campaigns: many generated cases on many lanes, in a folder from which they go on after whatever ended them."""
