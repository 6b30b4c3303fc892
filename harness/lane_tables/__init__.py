# SPDX-License-Identifier: MIT
"""The abilities of each lane, and the reasons where it lacks one: tables made from the catalogue and the model's
eras."""
