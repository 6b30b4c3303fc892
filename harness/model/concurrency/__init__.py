# SPDX-License-Identifier: MIT
"""Threads: predictions that hold however the threads' operations interleave.

A script with threads stands for all scripts without threads that carry the same operations out in one of the orders
that the threads allow; what all of these predict is predicted (`orders`, `merging`). A burst of hits is one operation
there: hits add up, so a burst during which something else happens has an effect between that of a burst before it and
that of one after it. Where programs on several CPUs do something to the same memory that does not add up, `race` finds
that out while they run, and reports it.
"""
