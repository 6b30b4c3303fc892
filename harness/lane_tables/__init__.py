# SPDX-License-Identifier: MIT
"""What each lane can do, and why not where it cannot: a table made from the catalogue and the model's eras."""
