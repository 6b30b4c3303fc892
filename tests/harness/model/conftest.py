# SPDX-License-Identifier: MIT
"""How hypothesis searches here: no deadlines, because machines that run tests are busy."""

from hypothesis import settings

settings.register_profile("model", deadline=None, max_examples=50)
settings.load_profile("model")
