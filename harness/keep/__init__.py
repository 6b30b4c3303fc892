# SPDX-License-Identifier: MIT
"""Machines for people: a shell in a lane, and machines that stay up until they are stopped or their time is over."""
