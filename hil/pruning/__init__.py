# SPDX-License-Identifier: MIT
"""What the bench keeps on disk, and what of it nobody needs any more."""
