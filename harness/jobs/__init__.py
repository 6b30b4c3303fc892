# SPDX-License-Identifier: MIT
"""The common parts of commands that run scripts on lanes: `hil run`, `hil conform`, `hil fuzz`."""
