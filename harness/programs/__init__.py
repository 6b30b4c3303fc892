# SPDX-License-Identifier: MIT
"""Programs that users bring, in any form, and the model's verdicts on them: `hil model`."""
