# SPDX-License-Identifier: MIT
"""The conformance run: every clause on every lane; kernel, model and clause are compared with each other."""
