"""`python -m benchmarks [--quick] [--write] [rules | http | access | start] …`: measure, print one table, fail if a
side fails.

A goal that is missed is said in the table and is no failure: figures depend on the machine. `--quick` takes seconds and
proves only that everything still runs.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import access, http_decisions, rules, startup
from benchmarks.report import Section, show

_PARTS = ("rules", "http", "access", "start")
_DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
_BEGIN, _END = "<!-- figures: make bench ARGS=--write -->", "<!-- end of figures -->"


def main() -> None:
    """This function will measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="rules, http, access or start; all by default")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures mean nothing")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md as well")
    options = parser.parse_args()
    parts = options.parts or _PARTS
    if unknown := set(parts) - set(_PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; take {', '.join(_PARTS)}")
    sections: list[Section] = []
    for part in parts:
        print(f"{part}: measuring 测量中 …", file=sys.stderr, flush=True)
        match part:
            case "rules":
                sections.append(rules.measure(quick=options.quick))
            case "http":
                sections += http_decisions.measure(quick=options.quick)
            case "access":
                sections.append(access.measure(quick=options.quick))
            case "start":
                sections.append(startup.measure(quick=options.quick))
    today = datetime.now(UTC).date().isoformat()
    machine = f"{today}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    table = f"{machine}\n\n{show(sections)}"
    print(table)
    if options.write:
        _write(table)


def _write(table: str) -> None:
    before, _, rest = _DOCUMENT.read_text("utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    _DOCUMENT.write_text(f"{before}{_BEGIN}\n\n{table}\n{_END}{after}", "utf-8")


if __name__ == "__main__":
    main()
