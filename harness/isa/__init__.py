"""The BPF instruction set: encode, decode, assemble, disassemble."""
