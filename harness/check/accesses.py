# SPDX-License-Identifier: MIT
"""Rules behind refusals of memory accesses, by what the verifier says of the register."""

from __future__ import annotations

import re

from harness.run.checked import Why

_RULES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"type=map_value expected=fp"),
        "helpers take memory in a map's value only since 4.11 (5722569bb9c3); before, it must be on the stack",
        "copy it to the stack first, or use a newer kernel",
    ),
    (
        re.compile(r"R\d+ (?:invalid mem access '(?:inv|scalar)'|type=(?:inv|scalar) expected)"),
        "a number is used as an address: kernel memory is read through helpers only (bpf_probe_read and its kin)",
        "read it with bpf_probe_read_kernel() or BPF_CORE_READ()",
    ),
    (
        re.compile(
            r"R\d+ unbounded memory access|R\d+ max value is outside|invalid access to map value|min value is negative"
        ),
        "every access must stay within its memory for certain: the verifier follows the bounds of each register, and"
        " does not know them here",
        "check the size or index against a constant right before it is used, e.g. `if (n > MAX) return 0;`, or mask it",
    ),
    (
        re.compile(r"invalid zero-sized read|R\d+ invalid zero-sized|zero-sized"),
        "the size that a helper gets may be 0, which it does not take",
        "check that it is greater than 0 right before the call",
    ),
    (
        re.compile(r"invalid indirect (?:read from|access to) stack|invalid read from stack"),
        "the program passes or reads bytes of its stack that it did not write",
        "initialize the variable, also the padding in a structure: memset() or = {}",
    ),
    (
        re.compile(r"invalid bpf_context access"),
        "the context has no such field for programs of this type, or not with this width",
        "",
    ),
    (
        re.compile(r"map_value_or_null|mem_or_null|ptr_.*or_null"),
        "the value that a helper returned may be null, and is used unchecked",
        "compare it with NULL first",
    ),
    (
        re.compile(r"combined stack size|stack depth"),
        "programs have 512 bytes of stack, with all functions that they call",
        "put large variables into a map",
    ),
    (
        re.compile(r"unreachable insn"),
        "this release refuses programs with instructions that cannot be reached",
        "use a newer kernel (5.0 and later remove them for privileged callers when they are dead by constants)",
    ),
    (
        re.compile(r"function calls? (?:to other bpf functions )?are (?:not )?allowed|BPF_CALL uses reserved fields"),
        "calls between functions of a program are allowed since 4.16",
        "inline the functions (__always_inline), or use a newer kernel",
    ),
    (
        re.compile(r"BPF_(?:ST|STX) uses reserved fields|unknown opcode"),
        "atomic operations other than an addition without its old value came with 5.12 (91c960b00566)",
        "build with -mcpu=v2, or use a newer kernel",
    ),
    (
        re.compile(r"requires BPF JIT compiler"),
        "the verifier leaves the call of this helper to the JIT, and the lane has none",
        "turn the JIT on: net.core.bpf_jit_enable=1",
    ),
    (
        re.compile(r"number of funcs in func_info doesn't match"),
        "the kernel sees fewer functions than the program has: it knows no references to functions, which callbacks"
        " are (bpf_for_each_map_elem() and its kin); they came with 5.13 (69c087ba6225)",
        "needs Linux 5.13, or a loop",
    ),
    (
        re.compile(r"callback function not static"),
        "a callback is verified with the call that it is passed to, which a global function is not",
        "make it static",
    ),
    (
        re.compile(r"Arg#\d+ type .* is not supported yet|Caller passes invalid args into func|is not a struct"),
        "a global function is verified by its types alone, for any arguments: numbers and the context, since 5.12 also"
        " pointers (e5069b9c23b3)",
        "make it static, so that it is verified with its callers, or inline it",
    ),
    (
        re.compile(r"missing btf|BTF is required|func_info"),
        "the kernel wants the types of the program's functions (BTF), which the object does not have, or not of each",
        "compile it with -g",
    ),
)


def rule(why: Why) -> tuple[str, str] | None:
    """Returns the rule that the verifier's words stand for, and a remedy; None where they are not known here."""
    said = " ".join(why.messages)
    return next(((sentence, remedy) for pattern, sentence, remedy in _RULES if pattern.search(said)), None)
