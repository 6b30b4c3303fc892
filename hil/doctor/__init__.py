# SPDX-License-Identifier: MIT
"""Whether this host has what the bench needs, and what to do where it has not."""
