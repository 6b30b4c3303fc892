# SPDX-License-Identifier: MIT
"""The command `hil`. It heeds signals before it loads the rest of itself, which takes a moment."""

from hil import signals


def main() -> None:
    """Entry point; exit status as of `hil.cli.main`, and 128 and its number for a signal that comes early."""
    signals.install()
    from hil.cli import main as command

    command()


if __name__ == "__main__":
    main()
