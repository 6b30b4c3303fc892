# SPDX-License-Identifier: MIT
"""Scripts: ordered lists of typed operations, and the outcomes that executors give for each."""
