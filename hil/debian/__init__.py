# SPDX-License-Identifier: MIT
"""Debian's packages, for any suite and architecture, without touching the host's own apt."""
