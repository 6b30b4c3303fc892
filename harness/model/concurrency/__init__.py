# SPDX-License-Identifier: MIT
"""Threads: what holds however their operations interleave.

A script with threads is the set of the scripts without any that carry the same operations out in every order that the
threads allow; what all of them predict is predicted (`orders`, `merging`). A burst of hits is one operation there: hits
add up, so what a burst leaves when something falls inside it lies between what it leaves when that falls before and
behind it. Where programs on several CPUs do to the same memory what does not add up, that is seen while they run
(`race`), and said.
"""
