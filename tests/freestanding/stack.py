"""How much stack a function of a static program takes, with all that it calls.

    stack.py PROGRAM FUNCTION LIMIT

What each instruction does to the stack pointer is followed through the machine code (x86-64, with
symbols, at fixed addresses). Nothing is guessed: recursion is an error, and so is a call through a
pointer that POINTERS does not know, or a function whose address is taken that nothing there calls.
"""

import re
import struct
import subprocess
import sys

PROGRAM, FUNCTION, LIMIT = sys.argv[1], sys.argv[2], int(sys.argv[3])

# The content of a message: the value that is sent.
CONTENTS = [
    r"(Responder|ReplyStream|Upgrade)\b.*::(try_send|send|error|next)\b.*{closure",
    "session::write_error::{closure",
]
# Functions that call through a pointer, and the functions that they call so.
POINTERS = [
    ("message::Envelope>::write$", CONTENTS),
    ("json::writer::Writer>::object$", CONTENTS),
    ("bytes::count_unmarked$", ["bytes::find_nul::{closure", "bytes::(is_)?special$"]),
    # In the example accounts: the account that is looked for; the clock.
    ("Accounts>::find$", ["Accounts>::add::{closure", "Accounts as .*Service>::call::{closure"]),
    ("nullink::server::|::main$", ["start::monotonic$"]),
]
# Where it starts.
CALLED_BY_NOBODY = ["^_start$"]


def fail(*why):
    sys.exit("stack: " + " ".join(map(str, why)))


class Function:
    def __init__(self, name):
        self.name = name
        self.code = {}  # operations and operands, by address
        self.calls = []  # how deep the stack is, what is called (None: through a pointer), and where
        self.frame = 0


def disassemble():
    """All functions, by their addresses."""
    command = ["objdump", "-dC", "--no-show-raw-insn", PROGRAM]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    functions, current = {}, None
    for line in text.splitlines():
        if label := re.match(r"([0-9a-f]+) <(.*)>:$", line):
            current = functions[int(label[1], 16)] = Function(label[2])
        elif code := re.match(r" +([0-9a-f]+):\t(?:(?:rep\w*|bnd|notrack|lock|cs) )*(\S+) *(.*)$", line):
            current.code[int(code[1], 16)] = code[2], code[3].strip()
    return functions


def memory():
    """What words the program has in memory when it starts, by their addresses."""
    with open(PROGRAM, "rb") as file:
        image = file.read()
    (headers,), (size, count) = struct.unpack_from("<Q", image, 32), struct.unpack_from("<HH", image, 54)
    words = {}
    for header in range(headers, headers + size * count, size):
        kind, _, start, address, _, length = struct.unpack_from("<IIQQQQ", image, header)
        if kind == 1:  # PT_LOAD
            for at in range(-address % 8, length - 7, 8):
                words[address + at] = struct.unpack_from("<Q", image, start + at)[0]
    return words


def effect(op, args):
    """By how much an instruction makes the stack deeper; None if that can't be said."""
    if op.startswith("push"):
        return 8
    if op.startswith("pop"):
        return -8
    if not re.search(r",%[er]?sp$", args) or op in ("cmp", "test"):
        return 0
    if op == "lea" and (moved := re.match(r"(-?0x[0-9a-f]+)\(%rsp\),%rsp$", args)):
        return -int(moved[1], 16)
    if number := re.match(r"\$0x([0-9a-f]+),%rsp$", args):
        number = int(number[1], 16)
        number -= (number >> 63) << 64
        # (What an alignment skips is less than what it is to.)
        return {"sub": number, "add": -number, "and": -number - 1}.get(op)
    return None


def follow(function, functions, words):
    """Notes how deep the stack gets in a function, and where it calls others."""
    addresses = list(function.code)
    after = dict(zip(addresses, addresses[1:]))
    depths, todo, table = {}, [(addresses[0], 0)], None
    while todo or table is not None:
        if not todo:
            # A jump through a table of addresses goes to what is not reached otherwise.
            left = [address for address in addresses if address not in depths]
            if not left:
                break
            todo.append((left[0], table))
        address, depth = todo.pop()
        if depths.get(address, -1) >= depth:
            continue
        if depth > 1 << 20:
            fail(function.name, "has no bound")
        depths[address] = depth
        op, args = function.code[address]
        target = re.match("[0-9a-f]+(?= <)|", args)[0]
        target = int(target, 16) if target else None
        if op == "jmp" and "(,%r" in args:
            table = max(table or 0, depth)
        elif op == "call" or (op.startswith("j") and target not in function.code):
            # (A jump to another function is a call without a return address.)
            if entry := re.search("# ([0-9a-f]+) <", args):
                target = words.get(int(entry[1], 16))
            target = target if target in functions else None
            function.calls.append((depth + 8 * (op == "call"), target, address))
            if op != "jmp" and address in after:
                todo.append((after[address], depth))
        elif op.startswith("j"):
            todo.append((target, depth))
            if op != "jmp":
                todo.append((after[address], depth))
        elif op not in ("ret", "ud2"):
            change = effect(op, args)
            if change is None:
                fail(f"what does {op} {args} in {function.name}?")
            if address in after:
                todo.append((after[address], depth + change))
    function.frame = max(depths.values())


def taken(functions, words):
    """The functions whose addresses are taken."""
    found = set(words.values())
    for function in functions.values():
        for op, args in function.code.values():
            if not re.match("call|j", op):
                found |= {int(number, 16) for number in re.findall(r"(?:\$0x|# )([0-9a-f]+)", args)}
    return found & functions.keys()


def below(address, functions, pointers, known, path):
    """How deep the stack gets, and through which functions."""
    function = functions[address]
    if address in path:
        fail("recursion:", *(f"\n    {functions[a].name}" for a in path[path.index(address) :]))
    if address not in known:
        known[address] = function.frame, [address]
        for depth, target, at in function.calls:
            targets = [target]
            if target is None:
                targets = [a for who, whom in pointers if re.search(who, function.name) for a in whom]
                if not targets:
                    fail(f"{function.name} calls through a pointer at {at:x}: POINTERS has no answer")
            for target in targets:
                deep, way = below(target, functions, pointers, known, [*path, address])
                known[address] = max(known[address], (depth + deep, [address, *way]))
    return known[address]


def main():
    functions, words = disassemble(), memory()
    for function in functions.values():
        follow(function, functions, words)

    rest = taken(functions, words)
    rest -= {target for function in functions.values() for _, target, _ in function.calls}
    rest = {a for a in rest if not re.search("|".join(CALLED_BY_NOBODY), functions[a].name)}
    pointers = []
    for who, whom in POINTERS:
        pointers.append((who, [a for a in taken(functions, words) if re.search("|".join(whom), functions[a].name)]))
        rest -= set(pointers[-1][1])
    if rest:
        fail("who calls these? POINTERS does not say:", *(f"\n    {functions[a].name}" for a in rest))

    roots = [a for a in functions if re.search(FUNCTION, functions[a].name)]
    if len(roots) != 1:
        fail(f"{len(roots)} functions are {FUNCTION}")
    deep, way = below(roots[0], functions, pointers, {}, [])
    for address in way:
        print(f"{functions[address].frame:8} {functions[address].name}")
    print(f"stack: {deep} bytes by the call graph, from {functions[roots[0]].name} down")
    if deep > LIMIT:
        fail(f"more than {LIMIT}")


main()
