# SPDX-License-Identifier: MIT
"""Type information of BPF objects and kernels (BTF): Documentation/bpf/btf.rst, include/uapi/linux/btf.h of 7.2.

No library that the project keeps reads it: pyelftools knows DWARF alone, and what Python's package index offers under
the name is something else. libbpf, bpftool and pahole are programs of a host, and read no object of their own for us.
"""
