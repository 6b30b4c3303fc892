# SPDX-License-Identifier: MIT
"""Programs that people bring, in whatever form, and what the model says of them: `hil model`."""
