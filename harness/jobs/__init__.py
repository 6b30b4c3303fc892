# SPDX-License-Identifier: MIT
"""What commands have in common that run scripts on lanes: `hil run`, `hil conform`, `hil fuzz`."""
