"""Measures the services and clients, prints the tables, and draws the picture. See ../run.sh."""

import collections
import concurrent.futures
import datetime
import functools
import itertools
import math
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

QUICK = sys.argv[1:] == ["quick"]
ROUNDS = 5 if QUICK else 15
UNIT = 40 if QUICK else 250  # milliseconds of one measurement
LIMIT = 3 if QUICK else 30  # seconds until a contestant is dropped from a row
SLOW, SLOW_ROUNDS = 2, 3  # from so many seconds on, a contestant takes part in so many rounds only
STREAM = 10_000 if QUICK else 100_000  # replies

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAMS = HERE / "target/release"
SMALL = HERE / "target/small"
# Client and service share a processor: waking another one takes longer than a round trip.
PROCESSOR = max(os.sched_getaffinity(0))

LIBRARIES = ["Nullink", "zlink", "varlink"]
CONTESTANTS = ["epoll", "poll", *LIBRARIES]
FLOOR = "epoll"


def service(name, directory=PROGRAMS):
    """The words of the command of a service."""
    if name in ("poll", "epoll"):
        return [directory / "floor", name]
    return [directory / name.lower()]


Row = collections.namedtuple("Row", "label job service own_client")


def ping(label, size, escaped=0, depth=1, clients=1, idle=0, own=False):
    return Row(label, ["ping", size, escaped, depth, clients, idle], [size, escaped, 0], own)


SIZES = [("1 KiB", 1024), ("64 KiB", 65536), ("1 MiB", 1048576)]
ESCAPES = [("", 0), (", 1 in 10 escaped", 10), (", 1 in 2 escaped", 2)]
ROWS = [
    ping("ping 5 B", 5),
    *(ping(f"ping {s}{e}", size, escaped) for s, size in SIZES for e, escaped in ESCAPES),
    Row("first ping of 1 MiB on a connection", ["connect", 1048576, 0], [1048576, 0, 0], False),
    *(ping(f"{depth:,} pipelined", 5, depth=depth) for depth in (10, 100, 1000)),
    Row(f"stream of {STREAM:,} replies", ["count", STREAM], [5, 0, STREAM], False),
    ping("8 clients at once", 5, clients=8),
    ping("64 clients at once", 5, clients=64),
    ping("1 client beside 900 idle", 5, idle=900),
    Row("connect, call, close", ["connect", 5, 0], [5, 0, 0], False),
    Row("exec to first reply", ["start"], [5, 0, 0], False),
    ping("own client: ping 5 B", 5, own=True),
    ping("own client: ping 1 KiB", 1024, own=True),
    ping("own client: ping 1 KiB, 1 in 10 escaped", 1024, 10, own=True),
    ping("own client: ping 64 KiB", 65536, own=True),
    ping("own client: 100 pipelined", 5, depth=100, own=True),
    Row(f"own client: stream of {STREAM:,} replies", ["count", STREAM], [5, 0, STREAM], True),
]
# Not offered by a library, so not tried.
MISSING = {("varlink", "own client: 100 pipelined"): "its client has no pipelining"}

Unit = collections.namedtuple("Unit", "wall service client memory")


class Failed(Exception):
    pass


def words(*parts):
    return [str(part) for part in parts]


def pin():
    os.sched_setaffinity(0, [PROCESSOR])


def memory(pid):
    """The largest resident memory of a process so far, in KiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1])


def run_client(command, limit):
    """Runs a client. Returns the median time of its operations, and the processor time of service
    and client for each, in nanoseconds."""
    client = subprocess.Popen(
        words(*command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=pin, start_new_session=True,
    )
    try:
        out, error = client.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        # With the service that it has started.
        os.killpg(client.pid, signal.SIGKILL)
        client.communicate()
        raise Failed(f"more than {limit} s") from None
    if client.returncode != 0:
        reason = [line for line in error.splitlines() if not line.startswith(("thread", "note"))]
        raise Failed(next(filter(None, reason), "fails").partition(": Os {")[0])
    count, wall, service_time, own = map(int, out.split())
    return wall, service_time / count, own / count


def unit(row, name, directory):
    """One service process and one client process."""
    if (name, row.label) in MISSING:
        raise Failed(MISSING[name, row.label])
    path = directory / f"{name}.{next(serial)}"
    command = [*service(name), path, *row.service]
    if row.job == ["start"]:
        return Unit(*run_client([PROGRAMS / "client", "start", path, *command], LIMIT), 0)
    process = subprocess.Popen(words(*command), stderr=subprocess.DEVNULL, preexec_fn=pin)
    try:
        client = PROGRAMS / "client"
        if row.own_client and name in LIBRARIES:
            client = PROGRAMS / f"{name.lower()}-client"
        # A connection has only one first message.
        duration, most = (0, 1) if row.label.startswith("first") else (UNIT, 1_000_000)
        times = run_client([client, path, process.pid, duration, most, *row.job], LIMIT)
        return Unit(*times, memory(process.pid))
    finally:
        process.kill()
        process.wait()


def measure(directory):
    """Returns for each row and contestant the units of all rounds, or the reason why there is none."""
    results = {row.label: {name: [] for name in CONTESTANTS} for row in ROWS}
    for turn in range(ROUNDS):
        begin = time.monotonic()
        for row, shift in zip(ROWS, itertools.count(turn)):
            contestants = [c for c in CONTESTANTS if not (row.own_client and c == "poll")]
            shift %= len(contestants)
            for name in contestants[shift:] + contestants[:shift]:
                units = results[row.label][name]
                if isinstance(units, str):
                    continue
                started = time.monotonic()
                try:
                    if turn < SLOW_ROUNDS or (row.label, name) not in slow:
                        units.append(unit(row, name, directory))
                    else:
                        units.append(None)
                except Failed as failure:
                    results[row.label][name] = str(failure)
                if time.monotonic() - started > SLOW:
                    slow.add((row.label, name))
        print(f"round {turn + 1} of {ROUNDS}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return results


serial = itertools.count()
slow = set()


# Counts


def counted(tool, name, row, operations, directory):
    """Runs a service under a tool, for exactly so many operations. Returns what the tool writes."""
    path = directory / f"counted.{next(serial)}"
    out = directory / f"out.{next(serial)}"
    log = directory / f"log.{next(serial)}"
    tools = {
        "callgrind": ["valgrind", "--tool=callgrind", "--dump-line=yes", f"--callgrind-out-file={out}"],
        "dhat": ["valgrind", "--tool=dhat", f"--dhat-out-file={out}"],
        # -D: the child of this process is the service, not strace.
        "strace": ["strace", "-D", "-f", "-c", "-U", "calls,name", "-o", out],
    }
    job = row.job
    if job[0] == "count":
        job, operations = ["count", operations], 1
    command = words(*tools[tool], *service(name), path, *row.service[:2], job[1] if job[0] == "count" else 0)
    with open(log, "w") as stderr:
        process = subprocess.Popen(command, stderr=stderr)
    try:
        run_client([PROGRAMS / "client", path, process.pid, 0, operations, *job], 60)
    finally:
        process.terminate()
        process.wait()
    if tool == "strace":
        # It ends after the service.
        for _ in range(1000):
            if out.exists() and "total" in out.read_text():
                break
            time.sleep(0.01)
        return int(re.search(r"(\d+)\s+total", out.read_text())[1]), out
    pattern = r"Total: .* in ([\d,]+) blocks" if tool == "dhat" else r"Collected : (\d+)"
    return int(re.search(pattern, log.read_text())[1].replace(",", "")), out


# Row, operations of the short and of the long run, calls or replies in one operation.
COUNTED = [
    (ping("ping 5 B", 5), 20, 120, 1),
    (ping("ping 1,024 characters", 1024), 20, 120, 1),
    (ping("ping 1,024 characters, 1 in 10 escaped", 1024, 10), 20, 120, 1),
    (ping("1 of 100 pipelined", 5, depth=100), 4, 24, 100),
    (Row("1 reply of a stream", ["count", 0], [5, 0], False), 500, 2500, 1),
]
TOOLS = [
    ("callgrind", COUNTED, CONTESTANTS),
    ("strace", [COUNTED[0], COUNTED[3], COUNTED[4]], CONTESTANTS),
    ("dhat", [COUNTED[0], COUNTED[3], COUNTED[4]], LIBRARIES),
]


def count(directory):
    """Returns for each tool, row and contestant the count of one call: the difference of a long and
    a short run, so that start and end do not count. And for Nullink the phases of each row."""

    def one(tool, entry, name):
        row, few, many, per = entry
        short, short_out = counted(tool, name, row, few, directory)
        long, long_out = counted(tool, name, row, many, directory)
        calls = (many - few) * per
        parts = phases(short_out, long_out, calls) if (tool, name) == ("callgrind", "Nullink") else None
        return (long - short) / calls, parts

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {
            (tool, entry[0].label, name): pool.submit(one, tool, entry, name)
            for tool, entries, names in TOOLS
            for entry in entries
            for name in names
        }
        results, found = {}, {}
        for key, job in jobs.items():
            try:
                results[key], parts = job.result()
                if parts:
                    found[key[1]] = parts
            except (Failed, TypeError) as failure:
                results[key] = str(failure)
        return results, found


# Phases: the source files of Nullink, by a pattern that its paths and the paths of its functions match.
PHASES = [
    ("encode", r"message/Envelope|json/(ser|writer)|service/responder"),
    ("decode", r"message/decode|json/(de|reader|number|raw|value)\b"),
    ("check", r"idl/|service/check"),
    ("scan", r"json/cursor|message|\bname\b"),
    ("search", r"channel"),
    ("handler", r"bin/nullink"),
    ("loop", r"nullink/main|server/|unix/|service/|rustix|\bio\b"),
]
# Code that all phases use: it belongs to the function that it is inlined into, or to its caller.
SHARED = re.compile(r"^(core/(str|slice|num|fmt)/|__mem)|nullink/(json/cursor|json/text|bytes)/")


def phase(function, file):
    """The phase of code from a file in a function."""
    path = re.sub(r"<impl |[<>{}]|::", lambda m: "/" if m[0] == "::" else "", function)
    home = next((name for name, pattern in PHASES if re.search(pattern, path)), "other")
    inside = re.search(r"/src/((?:bin/)?[^/]+(?:/[^/]+)?)\.rs$", file or "")
    if not inside or not (str(ROOT) in file):
        return home
    if inside[1] == "bytes":
        return "search" if home == "loop" else home
    if inside[1] in ("json/cursor", "json/text"):
        return home if home in ("check", "decode", "encode") else "scan"
    return next((name for name, pattern in PHASES if re.search(pattern, inside[1])), home)


def costs(path):
    """Reads what callgrind wrote: instructions by function and file, and with callees by caller,
    file and callee."""
    own, calls, names = collections.Counter(), collections.Counter(), {}

    def name(kind, text):
        number, _, rest = text.partition(" ")
        if rest:
            names[kind, number] = rest
        return names[kind, number]

    function = file = callee = None
    for line in path.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and key in ("fl", "fi", "fe"):
            file = name("file", value)
        elif equals and key == "fn":
            function = name("function", value)
        elif equals and key in ("cfi", "cfl"):
            name("file", value)
        elif equals and key == "cfn":
            callee = name("function", value)
        elif re.match(r"[-+*\d]", line):
            cost = int(line.split()[1])
            if callee is None:
                own[function, file] += cost
            else:
                calls[function, file, callee] += cost
                callee = None
    return own, calls


def phases(short, long, operations):
    """The instructions of one call by phase, and the functions with what is inlined into them."""
    (own_0, calls_0), (own, calls) = costs(short), costs(long)
    own.subtract(own_0)
    calls.subtract(calls_0)
    shared = lambda function: bool(SHARED.search(function.replace("::", "/")))

    @functools.cache
    def shares(callee):
        """How the phases share a function: by the cost of their calls of it."""
        found = collections.Counter()
        for (function, file, called), cost in calls.items():
            if called == callee and function != callee and cost > 0:
                parts = shares(function) if shared(function) else {phase(function, file): 1}
                for name, part in parts.items():
                    found[name] += part * cost
        whole = sum(found.values())
        return {name: part / whole for name, part in found.items()} if whole else {"other": 1}

    total, functions = collections.Counter(), collections.defaultdict(collections.Counter)
    for (function, file), cost in own.items():
        parts = shares(function) if shared(function) else {phase(function, file): 1}
        for name, part in parts.items():
            total[name] += part * cost / operations
        source = re.search(r"/src/(.*)\.rs$", file or "") if str(ROOT) in (file or "") else None
        functions[function][source[1] if source else "(core)"] += cost / operations
    return total, functions


def sizes(directory):
    """The bytes of the stripped programs."""
    found = {}
    for name in CONTESTANTS[1:]:
        for programs in (PROGRAMS, SMALL):
            stripped = directory / "stripped"
            subprocess.run(words("strip", "-o", stripped, service(name, programs)[0]), check=True)
            found[name, programs] = stripped.stat().st_size
    return found


def at_rest(name, directory):
    path = directory / f"{name}.{next(serial)}"
    process = subprocess.Popen(words(*service(name), path, 5, 0, 0))
    try:
        for _ in range(1000):
            if path.exists():
                break
            time.sleep(0.01)
        time.sleep(0.1)
        return memory(process.pid)
    finally:
        process.kill()
        process.wait()


# Tables


def table(head, rows):
    head = [{"epoll": "floor, epoll", "poll": "floor, poll"}.get(name, name) for name in head]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def plain(number):
    """A ratio, with as many digits as it deserves."""
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"


def ratios(results, row, name, field):
    """The ratios of all rounds to the floor of the same round, or the reason why there is none."""
    units, floors = results[row.label][name], results[row.label][FLOOR]
    if isinstance(units, str) or isinstance(floors, str):
        return units if isinstance(units, str) else "no floor"
    pairs = [(u, f) for u, f in zip(units, floors) if u and f]
    return [getattr(u, field) / getattr(f, field) for u, f in pairs]


def best(values):
    """The index of the smallest number among values that may be text."""
    numbers = [(value, index) for index, value in enumerate(values) if not isinstance(value, str)]
    return min(numbers)[1] if numbers else None


def ratio_table(results, rows, field, names):
    lines = []
    for row in rows:
        floors = results[row.label][FLOOR]
        medians = []
        cells = []
        for name in names:
            found = ratios(results, row, name, field)
            if isinstance(found, str):
                medians.append(found)
                cells.append(found)
                continue
            medians.append(statistics.median(found))
            cells.append(f"{plain(medians[-1])} ({plain(min(found))}-{plain(max(found))})")
        first = best([m if name in LIBRARIES else "" for m, name in zip(medians, names)])
        if first is not None:
            cells[first] = f"**{cells[first]}**"
        floor = floors if isinstance(floors, str) else statistics.median(getattr(f, field) for f in floors)
        lines.append([row.label, floor if isinstance(floor, str) else f"{floor / 1000:,.1f}", *cells])
    return table(["", "floor, us", *names], lines)


def count_table(counts, tool, names):
    entries = next(entries for t, entries, _ in TOOLS if t == tool)
    lines = []
    for row, *_ in entries:
        values = [counts[tool, row.label, name] for name in names]
        first = best([v if name in LIBRARIES else "" for v, name in zip(values, names)])
        digits = 0 if tool == "callgrind" else 2
        cells = [v if isinstance(v, str) else f"{v:,.{digits}f}" for v in values]
        if first is not None:
            cells[first] = f"**{cells[first]}**"
        lines.append([row.label, *cells])
    return table(["", *names], lines)


def phase_tables(found):
    order = ["search", "scan", "check", "decode", "handler", "encode", "loop", "other", "sum"]
    totals = [{**total, "sum": sum(total.values())} for total, _ in found.values()]
    numbers = {name: [round(total.get(name, 0)) for total in totals] for name in order}
    lines = [[name, *(f"{number:,}" for number in row)] for name, row in numbers.items() if any(row)]
    functions = found[COUNTED[0][0].label][1]
    big = sorted(functions.items(), key=lambda item: -item[1].total())[:16]
    inlined = [
        [
            "`" + re.sub(r"^nullink::(\w+::\w+::<impl nullink::(.*)>(?=::))?", r"\2", function) + "`",
            f"{parts.total():,.0f}",
            ", ".join(f"{file} {cost:.0f}" for file, cost in parts.most_common() if cost >= 5),
        ]
        for function, parts in big
    ]
    return (
        table(["phase", *found], lines)
        + "\n\nThe functions that remain after inlining, for a ping of 5 B:\n\n"
        + table(["function", "instructions", "by source file, inlined ones included"], inlined).replace("|---:|---:|", "|---:|---|")
    )


def median_memory(results, label, name):
    units = results[label][name]
    if isinstance(units, str):
        return "-"
    return f"{statistics.median(u.memory for u in units if u):,.0f}"


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()


def report(results, counts, found, size, rest):
    processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    lock = (HERE / "Cargo.lock").read_text()
    version = lambda name: re.search(f'name = "{name}"\nversion = "(.*)"', lock)[1]
    changed = " with changes" if output("git", "status", "--porcelain", "src") else ""
    theirs = [row for row in ROWS if not row.own_client]
    own = [row for row in ROWS if row.own_client]
    memory_rows = ["ping 5 B", "64 clients at once", "1 client beside 900 idle", "ping 1 MiB"]
    return f"""# Results

Written by `benches/run.sh{" quick" if QUICK else ""}`, which says in [benches/README.md](benches/README.md) what it compares, and how.

| | |
|---|---|
| date | {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC |
| commit | {output("git", "rev-parse", "--short=10", "HEAD")}{changed} |
| machine | {os.cpu_count()} processors, {processor[1] if processor else os.uname().machine}; load {os.getloadavg()[2]:.1f} |
| kernel | {os.uname().sysname} {os.uname().release} |
| compiler | {output("rustc", "--version")}, opt-level 3, fat LTO, one codegen unit, abort |
| peers | zlink {version("zlink")} on tokio {version("tokio")}, varlink {version("varlink")} |
| rounds | {ROUNDS}, {UNIT} ms for each unit |

Each cell is the median of the ratios to the floor of the same round, and the smallest and the largest ratio. The
floor, which waits with epoll(7), answers without parsing. The best library is bold.

## Time of an operation

From the first byte sent to the last received: one client program drives all services.

{ratio_table(results, theirs, "wall", CONTESTANTS[1:])}

## Processor time of the service

{ratio_table(results, theirs, "service", CONTESTANTS[1:])}

## A library's own client with its own service

Time of an operation. The floor is the client that parses nothing, with the service that parses nothing.

{ratio_table(results, own, "wall", LIBRARIES)}

Processor time of the client:

{ratio_table(results, own, "client", LIBRARIES)}

## Counts

These do not depend on the machine's speed. Each is the difference of a long run and a short one.

User instructions in the service process, for one call:

{count_table(counts, "callgrind", CONTESTANTS)}

System calls of the service, for one call:

{count_table(counts, "strace", CONTESTANTS)}

Allocations of the service, for one call:

{count_table(counts, "dhat", LIBRARIES)}

## Size and memory

The service as a dynamic program with std, stripped, in bytes. Its largest resident memory in KiB, at rest and after the
rows above.

{table(["", "opt-level 3", 'opt-level "z"', "at rest", *("after: " + label for label in memory_rows)],
       [["floor" if name == "poll" else name, f"{size[name, PROGRAMS]:,}", f"{size[name, SMALL]:,}", f"{rest[name]:,}",
         *(median_memory(results, label, name) for label in memory_rows)] for name in CONTESTANTS[1:]])}

## Where Nullink's instructions are

User instructions of one call. A phase has the instructions whose source lines are in its files. Code of core, `bytes`,
`json/cursor` and `json/text`, which several phases use, counts for the function that it is inlined into, or that calls
it.

{phase_tables(found) if found else "not counted"}
"""


# Picture

PICTURED = [
    "ping 5 B", "ping 1 KiB", "ping 1 KiB, 1 in 10 escaped", "ping 64 KiB", "ping 64 KiB, 1 in 10 escaped",
    "100 pipelined", f"stream of {STREAM:,} replies", "64 clients at once", "1 client beside 900 idle",
    "connect, call, close",
]


def picture(results):
    """Bars of the service's processor time as multiples of the floor's, on a logarithmic scale."""
    left, right, bar, gap, top = 210, 60, 11, 12, 66
    rows = [row for row in ROWS if row.label in PICTURED]
    values = {
        (row.label, name): statistics.median(found)
        for row in rows
        for name in LIBRARIES
        if not isinstance(found := ratios(results, row, name, "service"), str)
    }
    limit = max(values.values()) * 1.1
    width, height = 760, top + len(rows) * (3 * bar + gap) + 8
    scale = lambda value: left + (width - left - right) * math.log(max(value, 1)) / math.log(limit)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        "<style>.b{fill:#fff}text{fill:#24292f}.s0{fill:#0969da}.s1{fill:#bf8700}.s2{fill:#8c959f}line{stroke:#8c959f;"
        "stroke-opacity:.4}@media (prefers-color-scheme:dark){.b{fill:#0d1117}text{fill:#e6edf3}.s0{fill:#58a6ff}.s1{fill:#d29922}"
        ".s2{fill:#8b949e}}</style>",
        # A background of its own, because the page may be light where the reader's system is dark.
        f'<rect class="b" width="{width}" height="{height}" rx="6"/>',
        '<text x="8" y="18" font-weight="bold">Processor time of the service, as a multiple of a service that '
        "parses nothing (logarithmic, less is better)</text>",
    ]
    for index, name in enumerate(LIBRARIES):
        x = left + index * 110
        lines.append(f'<rect class="s{index}" x="{x}" y="28" width="12" height="12"/><text x="{x + 17}" y="38">{name}</text>')
    for mark in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if mark <= limit:
            x = f"{scale(mark):.1f}"
            lines.append(f'<line x1="{x}" y1="{top - 6}" x2="{x}" y2="{height}"/>')
            lines.append(f'<text x="{x}" y="{top - 10}" text-anchor="middle" font-size="10">x {mark}</text>')
    for number, row in enumerate(rows):
        y = top + number * (3 * bar + gap)
        lines.append(f'<text x="{left - 8}" y="{y + 21}" text-anchor="end">{row.label}</text>')
        for index, name in enumerate(LIBRARIES):
            value = values.get((row.label, name))
            line = y + index * bar
            end = scale(value) if value else left
            lines.append(f'<rect class="s{index}" x="{left}" y="{line}" width="{end - left:.1f}" height="{bar - 1}"/>')
            label = plain(value) if value else "fails"
            lines.append(f'<text x="{end + 4:.1f}" y="{line + 9}" font-size="10">{label}</text>')
    return "\n".join([*lines, "</svg>", ""])


def codec():
    """Returns the section about the codec alone, which benches/codec.sh measures."""
    table = subprocess.run([ROOT / "benches/codec.sh"], check=True, text=True, stdout=subprocess.PIPE)
    return f"""
## The codec alone

User instructions for each byte of a message, in memory. `scan` checks that a text is JSON, and `read` decodes it, as
strictly. A service makes a scan of the envelope and the parameters together, which checks the parameters against the
definition, too, so that nothing after it can fail half-way; then it decodes the parameters. serde-json-core does not
check what it skips, and does not decode escapes.

{table.stdout}"""


def linear():
    """Returns the section about the cost by size, which benches/linear.sh measures and checks."""
    table = subprocess.run([ROOT / "benches/linear.sh"], check=True, text=True, stdout=subprocess.PIPE)
    return f"""
## Cost by size

User instructions of a call in memory, or over a socket for places, by one size: the length of a string, the same with
one character in 10 escaped, and of an array of integers; the number of fields of the call, of interfaces and methods to
choose from, and of places of the server, all but one with an idle connection. A call may take up to 1.3 times what is
proportional to the row before.

{table.stdout}"""


def stack():
    """Returns the section about the stack, which tests/freestanding/stack.sh measures."""
    found = subprocess.run([ROOT / "tests/freestanding/stack.sh"], check=True, text=True, stdout=subprocess.PIPE)
    graph = max(int(number) for number in re.findall(r"stack: (\d+) bytes by the call graph", found.stdout))
    paint = re.findall(r"stack: (.*), by paint", found.stdout)
    paint = max(int(number) for line in paint for number in re.findall(r"\d+", line))
    return f"""
## Stack

The deepest stack of a call in a service without libc, from the session's step down, without the caller's buffers:
{graph:,} bytes by the call graph, {paint:,} bytes by painting it and sending the worst known calls.
"""


def main():
    with tempfile.TemporaryDirectory(prefix="peers.") as name:
        directory = pathlib.Path(name)
        begin = time.monotonic()
        size = sizes(directory)
        rest = {name: at_rest(name, directory) for name in CONTESTANTS}
        results = measure(directory)
        counts, found = count(directory)
        text = report(results, counts, found, size, rest) + codec() + linear() + stack()
        where = (HERE / "target", HERE / "target") if QUICK else (ROOT, ROOT / "benches")
        (where[0] / "RESULTS.md").write_text(text)
        (where[1] / "results.svg").write_text(picture(results))
        print(text)
        print(f"{time.monotonic() - begin:.0f} s; written to {where[0]}/RESULTS.md and {where[1]}/results.svg", file=sys.stderr)


main()
