# SPDX-License-Identifier: MIT
"""The command `hil`. It installs its signal handlers before it imports the rest of itself, which takes a moment."""

from hil import signals


def main() -> None:
    """The entry point. Exits as `hil.cli.main` does, and with 128 plus its number for a signal that comes earlier."""
    signals.install()
    from hil.cli import main as command

    command()


if __name__ == "__main__":
    main()
