# SPDX-License-Identifier: MIT
"""Mistakes that are planted in the model, each of which `hil fuzz` has to find."""
