"""Writes TABLE.md and the last column of docs/promises.md: table.py RESULTS.

RESULTS has a file NAME.service and NAME.client for each implementation, with the output of
`conform --json`, and NAME.version.
"""

import json
import sys
from pathlib import Path

NAMES = {
    "nullink": "Nullink",
    "python": "varlink (Python)",
    "zlink": "zlink",
    "varlink": "varlink (Rust)",
    "sd-varlink": "sd-varlink",
}
here = Path(__file__).parent
results = Path(sys.argv[1])
promises = [line.split(" ", 2) for line in (here / "promises.txt").read_text().splitlines()]
words = {name: text for name, _, text in promises}
order = [name for name, _, _ in promises]


def read(name, half):
    """Returns the checks of one half by id; None if the half was not run."""
    path = results / f"{name}.{half}"
    if not path.exists():
        return None
    checks = {}
    for line in path.read_text().splitlines():
        check = json.loads(line)
        checks.setdefault(check["id"], []).append(check)
    return checks


def count(checks, word):
    return sum(check["result"] == word for check in checks)


def cell(name, half, number, checks):
    """Returns a cell of the table, with a link to what has failed."""
    if checks is None:
        return "not run"
    checks = checks.get(number, [])
    judged = [check for check in checks if check["result"] != "not applicable"]
    if not judged:
        return "not applicable"
    failed, differs = count(checks, "FAIL"), count(checks, "differs")
    parts = []
    if failed:
        parts.append(f"🟥 FAIL {failed}/{len(judged)}")
    if differs:
        parts.append(f"differs {differs}/{len(judged)}")
    if not parts:
        return f"pass {len(judged)}"
    return f"[{', '.join(parts)}](#{name}-{half}-{number.lower()})"


def short(text, length=160):
    text = text if len(text) <= length else text[:length] + "..."
    return text.replace("`", "'").replace("|", "\\|")


def table(half, all):
    ids = {number for checks in all.values() if checks for number in checks}
    names = [name for name in NAMES if name in all]
    rows = [f"| | promise | {' | '.join(NAMES[name] for name in names)} |"]
    rows.append("|---" * (len(names) + 2) + "|")
    for number in sorted(ids, key=order.index):
        cells = [cell(name, half, number, all[name]) for name in names]
        text = words[number]
        rows.append(f"| {number} | {text} | {' | '.join(cells)} |")
    return "\n".join(rows)


def details(half, all):
    lines = []
    for name, checks in all.items():
        for number, checks in (checks or {}).items():
            bad = [check for check in checks if check["result"] in ("FAIL", "differs")]
            if bad:
                lines.append(f"\n#### {name} {half} {number}\n")
            for check in bad:
                lines.append(f"- {check['result']}: {check['what']} ({check['basis']})")
                lines.append(f"  - came: `{short(check['came'])}`")
                lines.append(f"  - expected: `{short(check['expected'])}`")
                lines.append(f"  - `{check['reproducer'].replace('`', chr(39))}`")
    return "\n".join(lines)


def reasons(half, all):
    lines = []
    for name, checks in all.items():
        found = {}
        for number, checks in (checks or {}).items():
            for check in checks:
                if check["result"] == "not applicable":
                    found.setdefault(check["reason"], set()).add(number)
        for reason, ids in found.items():
            lines.append(f"- {NAMES[name]}, {half}, {', '.join(sorted(ids))}: {reason}")
    return "\n".join(lines)


halves = {
    half: {name: read(name, half) for name in NAMES if (results / f"{name}.version").exists()}
    for half in ("service", "client")
}
versions = ", ".join(
    f"{NAMES[name]} {(results / f'{name}.version').read_text().strip()}" for name in halves["service"]
)
missing = [NAMES[name] for name in NAMES if name not in halves["service"]]
text = f"""# Implementations of Varlink

`tests/conformance/table.sh` writes this file. Nothing in it is written by hand.

Versions: {versions}.{' Not run: ' + ', '.join(missing) + '.' if missing else ''}

- `pass N`: all N checks have passed.
- `🟥 FAIL M/N`: M of N checks have failed. The list below says whether UAPI.20 requires it or has
  a SHOULD, or the service does not outlive a bad client, and has a command that shows the failure.
- `differs M/N`: UAPI.20 is silent or permits others, and Nullink has chosen. This is no fault.
- `not applicable`: the reasons are at the end.

## Services

{table("service", halves["service"])}

## Clients

{table("client", halves["client"])}

## Not applicable

{reasons("service", halves["service"])}
{reasons("client", halves["client"])}

## Services: what has failed, and how to see it

The service listens at the address of the command. `../README.md` says how to start one.
{details("service", halves["service"])}

## Clients: what has failed, and how to see it

The command waits for a client, which then makes the call.
{details("client", halves["client"])}
"""
(here / "TABLE.md").write_text(text.replace("`../README.md` says", "[README.md](README.md) says"))

path = here.parent.parent / "docs" / "promises.md"
lines = path.read_text().splitlines(keepends=True)
nullink = [half.get("nullink") or {} for half in halves.values()]
for index, line in enumerate(lines):
    number = line.removeprefix("| ").split(" ")[0].rstrip("!+")
    if not line.startswith("| ") or number not in words:
        continue
    checks = [check for half in nullink for check in half.get(number, [])]
    passed = count(checks, "pass")
    result = "" if not checks else f"{passed} of {len(checks)}"
    lines[index] = line.rstrip("\n").removesuffix(" |").rsplit("| ", 1)[0] + f"| {result} |\n"
path.write_text("".join(lines))
