# SPDX-License-Identifier: MIT
"""The command `hil-plugin`. It handles signals before it imports the rest of itself, which takes a moment."""

import os

try:
    from hil import signals
except KeyboardInterrupt:  # as in hil.__main__
    os.write(2, b"hil: ended by SIGINT\n")
    os._exit(130)


def main() -> None:
    """Runs the command, as that of `hil`."""
    signals.install()
    from harness.bpf_conformance.commands import main as command

    command()


if __name__ == "__main__":
    main()
