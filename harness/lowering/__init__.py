# SPDX-License-Identifier: MIT
"""The guest executor: lowers each operation to system calls for the agent, and reads observations from its answers."""
