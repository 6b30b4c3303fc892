# SPDX-License-Identifier: MIT
"""Real boards, reached over SSH: found by the user's ssh_config, examined, used, and left as they were."""
