# SPDX-License-Identifier: MIT
"""Scripts: ordered lists of typed operations, and what an executor says of each."""
