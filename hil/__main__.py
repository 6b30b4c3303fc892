# SPDX-License-Identifier: MIT
"""The command `hil`. It installs its signal handlers before it imports the rest of itself, which takes a moment."""

import os

try:
    from hil import signals
except KeyboardInterrupt:  # by the handler that Python has, while the standard library's modules are loaded
    os.write(2, b"hil: ended by SIGINT\n")
    os._exit(130)


def main() -> None:
    """The entry point. Exits as `hil.cli.main` does, and with 128 plus its number for a signal that comes earlier."""
    signals.install()
    from hil.cli import main as command

    command()


if __name__ == "__main__":
    main()
