"""`python -m benchmarks [--quick] [--write] [PART] …`: measure, print one table, fail if a side fails.

A goal that is missed is said in the table and is no failure: figures depend on the machine. `--quick` takes seconds and
proves only that everything still runs.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from benchmarks import access, campaigns, http_decisions, pools, replays, rules, search, startup
from benchmarks.report import Section, show

PARTS = ("rules", "replay", "http", "access", "pools", "campaigns", "start")
# Makes 1,000,000 decisions first, so it is measured when asked for.
_ON_DEMAND = ("search",)
_DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
_BEGIN, _END = "<!-- figures: make bench ARGS=--write -->", "<!-- end of figures -->"
# Parts that are measured alone more often have a table of their own, which --write finds by these.
_ALONE = {
    "search": ('<!-- searches: make bench ARGS="search --write" -->', "<!-- end of searches -->"),
    "access": ('<!-- access: make bench ARGS="access --write" -->', "<!-- end of access -->"),
    "pools": ('<!-- pools: make bench ARGS="pools --write" -->', "<!-- end of pools -->"),
    "campaigns": ('<!-- campaigns: make bench ARGS="campaigns --write" -->', "<!-- end of campaigns -->"),
}


def main() -> None:
    """This function will measure what is asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="all but search by default")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures mean nothing")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md as well")
    parser.add_argument(
        "--database", action="append", default=[], metavar="URL",
        help="search: a history that lies there already, made by jifendai demo-data; repeatable",
    )  # fmt: skip
    options = parser.parse_args()
    parts = options.parts or PARTS
    every = (*PARTS, *_ON_DEMAND)
    if unknown := set(parts) - set(every):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; take {', '.join(every)}")
    together, alone = set(PARTS) - set(_ALONE), set(parts) & set(_ALONE)
    if options.write and set(parts) - alone not in (set(), together):
        parser.error(f"--write is for all of {', '.join(sorted(together))} together, and any of {', '.join(_ALONE)}")
    measured: dict[str, list[Section]] = {part: [] for part in parts}
    for part, sections in measured.items():
        print(f"{part}: measuring 测量中 …", file=sys.stderr, flush=True)
        match part:
            case "rules":
                sections.append(rules.measure(quick=options.quick))
            case "replay":
                sections.append(replays.measure(quick=options.quick))
            case "http":
                sections += http_decisions.measure(quick=options.quick)
            case "access":
                sections.append(access.measure(quick=options.quick))
            case "pools":
                sections.append(pools.measure(quick=options.quick))
            case "campaigns":
                sections.append(campaigns.measure(quick=options.quick))
            case "start":
                sections.append(startup.measure(quick=options.quick))
            case "search":
                sections += search.measure(quick=options.quick, databases=options.database)
    today = datetime.now(UTC).date().isoformat()
    machine = f"{today}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}"
    print(f"{machine}\n\n{show([*chain(*measured.values())])}")
    if options.write:
        for part in alone:
            _write(f"{machine}\n\n{show(measured.pop(part))}", *_ALONE[part])
        if measured:
            _write(f"{machine}\n\n{show([*chain(*measured.values())])}", _BEGIN, _END)


def _write(table: str, begin: str, end: str) -> None:
    before, _, rest = _DOCUMENT.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    _DOCUMENT.write_text(f"{before}{begin}\n\n{table}\n{end}{after}", "utf-8")


if __name__ == "__main__":
    main()
