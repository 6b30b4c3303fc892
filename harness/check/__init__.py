# SPDX-License-Identifier: MIT
"""`hil check`: on which lanes a program of a user's object loads, attaches, runs and leaves the same, and why not."""
