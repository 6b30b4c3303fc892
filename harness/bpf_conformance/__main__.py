# SPDX-License-Identifier: MIT
"""The command `hil-plugin`. It heeds signals before it loads the rest of itself, which takes a moment."""

from hil import signals


def main() -> None:
    """Entry point; as that of `hil`."""
    signals.install()
    from harness.bpf_conformance.commands import main as command

    command()


if __name__ == "__main__":
    main()
