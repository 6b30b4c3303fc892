# SPDX-License-Identifier: MIT
"""The agent's side on the host: batches of primitive steps, their wire format, and the client that exchanges them."""
