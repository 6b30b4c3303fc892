# SPDX-License-Identifier: MIT
"""The page docs/kernel-bugs.md."""

from __future__ import annotations

from collections.abc import Iterator

from harness.isa.instruction import encode
from harness.isa.text import assemble
from harness.kernel_bugs.bugs import Bug, Observe, bugs
from harness.report.gfm import line

_OPENING = """\
# Errors of kernels

What the bench found or confirmed: errors of kernels in the matrix, and of others that Debian's archive has. This page
is written by `hil bugs --markdown` from `harness/kernel_bugs/bugs.toml`. Each program is a socket filter in the
notation of the verifier's log; `tests/harness/kernel_bugs` runs it on kernels with the error and without it, and holds
what is right against the model. A program with a map finds the numbers in the map's value; the packet has the bytes 00
to ff. Seeds and numbers of cases are those of the generator of 28 November 2026.
"""


def markdown() -> str:
    """Returns the page, as the file has it."""
    heads = line(("error", "where", "fixed in", "status")), line(["---"] * 4)
    cells = ((f"[{_text(one.title)}](#{one.id})", *map(_text, (one.where, one.fixed_in, one.status))) for one in bugs())
    rows = map(line, cells)
    table = "\n".join((*heads, *rows))
    return "\n".join((_OPENING, f"{table}\n", *("\n".join(_section(one)) for one in bugs())))


def _section(bug: Bug) -> Iterator[str]:
    yield f'<a id="{bug.id}"></a>'
    yield ""
    yield f"## {_text(bug.title)}"
    yield ""
    yield _text(bug.what)
    yield ""
    if bug.program:
        yield "```"
        yield bug.program.strip()
        yield "```"
        yield ""
        program = assemble(bug.program)
        if not program.functions:  # whose types are no instructions
            yield f"- Hexadecimal: `{encode(program.instructions).hex()}`"
        if bug.numbers:
            yield f"- Numbers in the map: {', '.join(map(str, bug.numbers))}"
        what = "returns" if bug.observe == Observe.VERDICT else "loading it gives"
        yield f"- Right: {what} {bug.right}. Wrong: {bug.wrong}."
    else:
        yield f"- Shown by: {_text(bug.shown_by)}."
    yield f"- Where: {_text(bug.where)}."
    for name, patterns in (("Seen wrong on", bug.has), ("Seen right on", bug.has_not)):
        if patterns:
            yield f"- {name}: {', '.join(f'`{pattern}`' for pattern in patterns)}."
    commit = f" ([{bug.commit}]({bug.link}))" if bug.commit else ""
    yield f"- Fix: {_text(bug.fix)}{commit}; in {_text(bug.fixed_in)}."
    yield f"- Status: {_text(bug.status)}."
    yield f"- Found: {_text(bug.found)}."
    yield ""


def _text(words: str) -> str:
    return words.replace("|", r"\|").replace("*", r"\*").replace("_", r"\_").replace("<", r"\<")
