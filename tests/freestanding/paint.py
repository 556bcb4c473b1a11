"""How much stack the painted program of freestanding takes for the worst that it can be sent.

    paint.py PROGRAM LIMIT
"""

import json
import pathlib
import subprocess
import sys

PROGRAM, LIMIT = sys.argv[1], int(sys.argv[2])
SEEDS = pathlib.Path(__file__).parent / "../../fuzz/seeds"
OWN, SERVICE = "org.example.freestanding.", "org.varlink.service."


def call(method, parameters="{}", flags=""):
    return f'{{{flags}"method":"{method}","parameters":{parameters}}}\0'.encode()


def nested(depth, begin, end):
    return begin * depth + end * depth


def keep(value, more=""):
    return call(OWN + "Keep", f'{{"object":{value},"color":"red"{more}}}')


def walk(branches):
    return call(OWN + "Walk", f'{{"tree":{{"branches":{branches}}}}}')


def worst():
    """Calls, and what is none."""
    long, escaped = "k" * 1000, "\\u006b" * 300
    text = json.dumps('"🦀\n' * 80)
    yield "strings", call(OWN + "Ping", f'{{"ping":{text}}}')
    yield "strings", call(OWN + "Ping", f'{{"ping":"{escaped}"}}')
    yield "strings", call(OWN + "Ping", '{"\\u0070ing":1}')
    yield "numbers", call(OWN + "Sum", '{"numbers":[9223372036854775807,-9223372036854775808,0]}')
    yield "numbers", call(OWN + "Sum", '{"numbers":[1,2,3],"negate":true}')
    yield "numbers", keep("{}", ',"ratio":' + "1" * 300 + "." + "2" * 300 + "e-308")
    yield "numbers", keep("{}", ',"ratio":1e999')
    for depth in (1, 60, 124, 125, 126, 127, 128, 129, 200):
        yield "nested", keep('{"a":' + nested(depth, "[", "]") + "}")
        yield "nested", keep('{"a":' * depth + "1" + "}" * depth)
        yield "nested", walk('{"a":{"branches":' * depth + "{}" + "}}" * depth)
    for key in (long, escaped):
        yield "keys", keep(f'{{"{key}":1}}')
        yield "keys", call(OWN + "Keep", f'{{"{key}":1}}')
        yield "keys", call(OWN + "Keep", "{}", f'"{key}":1,')
        yield "keys", call(OWN + key)
        yield "keys", call(f"org.example.{key}.Method")
        yield "keys", call(SERVICE + "GetInterfaceDescription", f'{{"interface":"{key}"}}')
    for count in (63, 64, 65, 90):
        keys = [f'"{number}":{{}}' for number in range(count)]
        yield "maps", walk("{" + ",".join(keys) + "}")
        yield "maps", walk("{" + ",".join([*keys, '"\\u0030":{}']) + "}")
    stream = call(OWN + "Count", '{"n":500}', '"more":true,')
    yield "streams", stream * 20
    yield "streams", call(OWN + "Count", '{"n":500}')
    yield "streams", call(OWN + "Count", '{"n":0}', '"more":true,')
    yield "introspection", call(SERVICE + "GetInfo") * 20
    for interface in (SERVICE[:-1], OWN[:-1], "org.example.none"):
        yield "introspection", call(SERVICE + "GetInterfaceDescription", f'{{"interface":"{interface}"}}') * 9
    yield "errors", call(OWN + "Fail") * 20
    yield "errors", call(OWN + "Count", '{"n":"x"}') + call(OWN + "Pipe") + call(OWN + "None") + call("x")
    yield "oneway", call(OWN + "Ping", '{"ping":"x"}', '"oneway":true,') * 20
    yield "upgrade", call(OWN + "Pipe", "{}", '"upgrade":true,') + b"\0\xff" * 500
    for junk in (b"", b"\0", b"{", b"x" * 5000, b"\0" * 5000, b"{}\0", b"\xff\0", b'{"method":1}\0', b'"\0'):
        yield "junk", junk
    for seed in sorted(SEEDS.glob("*/*")):
        yield "seeds", seed.read_bytes()
        yield "seeds", seed.read_bytes() + b"\0"


deepest = {}
for kind, message in worst():
    run = subprocess.run([PROGRAM], input=message, capture_output=True, timeout=60, check=False)
    assert len(run.stderr) == 8, f"{message}: {run}"
    deepest[kind] = max(deepest.get(kind, 0), int.from_bytes(run.stderr, "little"))
print("stack:", *(f"{kind} {depth}," for kind, depth in deepest.items()), "by paint")
if max(deepest.values()) > LIMIT:
    sys.exit(f"stack: more than {LIMIT}")
