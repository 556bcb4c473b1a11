"""Calls the static program accounts as its clients do, and prints how much memory it has had.

    accounts.py PROGRAM [TRACE]

It prints the most memory, in KiB, when 8 clients had called one after the other, and when all of them
had filled their buffers at once.

With TRACE the system calls of one connection are written there: strace(1). RUNNER in the environment
is what runs a program that is not for this processor: qemu-aarch64-static. The memory is the runner's.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

PROGRAM, TRACE = sys.argv[1], (sys.argv[2:] or [None])[0]
COMMAND = [*os.environ.get("RUNNER", "").split(), PROGRAM]
HERE = os.path.dirname(os.path.abspath(__file__))
DEFINITION = os.path.join(HERE, "../../examples/shared/com.redhat.accounts.varlink")
CONNECTIONS, BUFFER = 8, 4096
ADDR_NO_RANDOMIZE = 0x0040000  # personality(2)


class Running(subprocess.Popen):
    """A program that ends with the test if that fails, and is waited for."""

    def __exit__(self, failure, *more):
        if failure:
            self.kill()
        return super().__exit__(failure, *more)


def start(given, wrapper=()):
    """Starts the program with a socket: sd_listen_fds(3)."""

    def child():
        os.dup2(given.fileno(), 3)
        os.set_inheritable(3, True)
        # So that its stack begins at the same place in a page each time: its memory is counted in pages.
        ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)
        environment = {"LISTEN_PID": f"{os.getpid():010}", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "varlink"}
        command = [*wrapper, *COMMAND]
        os.execve(shutil.which(command[0]), command, environment)

    return Running(COMMAND, preexec_fn=child)


def send(client, method, parameters=None):
    call = {"method": method, "parameters": parameters or {}}
    client.sendall(json.dumps(call).encode() + b"\0")


def receive(client):
    reply = b""
    while not reply.endswith(b"\0"):
        # One byte at a time, because the next reply may be there already.
        byte = client.recv(1)
        assert byte, f"closed behind {reply}"
        reply += byte
    return json.loads(reply[:-1])


def call(client, method, parameters=None):
    send(client, method, parameters)
    return receive(client)


def has_all(client):
    own = "com.redhat.accounts"
    info = call(client, "org.varlink.service.GetInfo")["parameters"]
    assert info["interfaces"] == ["org.varlink.service", own], info
    reply = call(client, "org.varlink.service.GetInterfaceDescription", {"interface": own})
    with open(DEFINITION, encoding="utf-8") as file:
        assert reply == {"parameters": {"description": file.read()}}, reply
    root = call(client, own + ".GetByName", {"name": "root"})
    assert root["parameters"]["account"]["uid"] == 0, root
    assert call(client, own + ".GetByUid", {"uid": 0}) == root
    reply = call(client, own + ".GetByName", {"name": ":"})
    assert reply == {"error": own + ".NotFound"}, reply
    reply = call(client, own + ".GetByName", {"name": 1})
    assert reply["parameters"] == {"parameter": "name"}, reply
    if os.path.getsize("/etc/passwd") < BUFFER / 2:
        everybody = call(client, own + ".GetAll")["parameters"]["accounts"]
        assert root["parameters"]["account"] in everybody, everybody


def one_connection():
    """It ends when its only client has gone."""
    ours, theirs = socket.socketpair()
    with start(theirs, ["strace", "-D", "-o", TRACE] if TRACE else []) as program:
        theirs.close()
        has_all(ours)
        ours.close()
        assert program.wait(60) == 0, program.returncode


def peak(program):
    """The most memory that it has had: VmHWM in proc_pid_status(5)."""
    with open(f"/proc/{program.pid}/status", encoding="ascii") as status:
        return next(line.split()[1] for line in status if line.startswith("VmHWM"))


def many_connections():
    """Its memory when the clients have called in turn, and at once."""
    method = "org.varlink.service.GetInterfaceDescription"
    parameters = {"interface": "com.redhat.accounts"}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(b"\0nullink-freestanding-%d" % os.getpid())
        listener.listen(CONNECTIONS)
        with start(listener) as program:
            clients = [socket.socket(socket.AF_UNIX) for _ in range(CONNECTIONS)]
            for client in clients:
                client.connect(listener.getsockname())
            for client in clients:
                has_all(client)
            in_turn = peak(program)
            # Both buffers of each, from end to end.
            length = len(json.dumps({"method": method, "parameters": parameters})) + 1
            count = BUFFER // length
            for client in clients:
                for _ in range(count):
                    send(client, method, parameters)
            for client in clients:
                for _ in range(count):
                    assert "parameters" in receive(client)
            at_once = peak(program)
            for client in clients:
                client.close()
            leaves_before_the_reply(program, listener.getsockname())
            program.kill()
        return f"{in_turn} {at_once}"


def leaves_before_the_reply(program, address):
    """The service writes to a closed connection. SIGPIPE would end it: nothing here ignores it."""
    program.send_signal(signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(address)
        send(client, "org.varlink.service.GetInfo")
    program.send_signal(signal.SIGCONT)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(address)
        has_all(client)


def own_socket():
    path = f"/tmp/nullink-freestanding-{os.getpid()}"
    with Running([*COMMAND, "unix:" + path]) as program:
        end = time.monotonic() + 60
        with socket.socket(socket.AF_UNIX) as client:
            while client.connect_ex(path) != 0:
                assert time.monotonic() < end and program.poll() is None, "does not listen"
            has_all(client)
        program.kill()
    os.unlink(path)
    for arguments in ["", "unix:/dev/null", "unix:/nowhere/socket"]:
        failed = subprocess.run([*COMMAND, *arguments.split()], capture_output=True, check=False)
        assert failed.returncode == 1 and failed.stderr.startswith(b"accounts: "), failed


one_connection()
own_socket()
print(many_connections())
