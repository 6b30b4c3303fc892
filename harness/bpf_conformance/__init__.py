# SPDX-License-Identifier: MIT
"""A plugin for bpf_conformance: its programs in the model, or on a lane.

The contract is in README.md of https://github.com/Alan-Jowett/bpf_conformance. The plugin is run as
`PLUGIN [MEMORY] [OPTIONS] [--elf]`. The program comes on standard input in hexadecimal, as bytes or (`--elf`) as an
object file; the bytes MEMORY are in hexadecimal, too. R1 is the address of the memory and R2 its length. R0 in
hexadecimal goes to standard output and the status is 0; or an error goes to standard error and the status is not 0.
"""
