"""Two network namespaces and a link between them, which is slow, and can be cut.

A process carries the packets from one namespace to the other, each after a delay, for kernels
without `netem`. It runs as `python link.py DELAY`, says `ready`, cuts the link at `cut`, and ends
with its input. Linux only, for root.
"""

import contextlib
import ctypes
import fcntl
import heapq
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

SPACES = ("hebbax-a", "hebbax-b")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
WRAPS = tuple(("ip", "netns", "exec", space) for space in SPACES)


def is_possible() -> bool:
    """Whether this machine and user can have namespaces."""
    made = subprocess.run(["ip", "netns", "add", "hebbax-try"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", "hebbax-try"], capture_output=True, check=False)
    return made.returncode == 0 and Path("/dev/net/tun").exists()


@contextlib.contextmanager
def linked(delay: float) -> Iterator[subprocess.Popen[str]]:
    """The two namespaces, with `delay` seconds from one to the other; yields who carries packets.

    Each finds the machine's name at its own address, by which gloo is reached.
    """
    with contextlib.ExitStack() as stack:
        for space, address in zip(SPACES, ADDRESSES, strict=True):
            subprocess.run(["ip", "netns", "add", space], check=True)
            stack.callback(subprocess.run, ["ip", "netns", "del", space], check=True)
            names = Path("/etc/netns") / space / "hosts"
            names.parent.mkdir(parents=True, exist_ok=True)
            names.write_text(f"127.0.0.1 localhost\n{address} {socket.gethostname()}\n")
            stack.callback(names.parent.rmdir)
            stack.callback(names.unlink)
        carrier = subprocess.Popen(
            [sys.executable, __file__, str(delay)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert carrier.stdin is not None
        assert carrier.stdout is not None
        stack.enter_context(carrier)
        stack.callback(carrier.kill)
        assert carrier.stdout.readline() == "ready\n"
        yield carrier


def cut(carrier: subprocess.Popen[str]) -> None:
    """Cuts the link: packets get lost, and nobody is told."""
    assert carrier.stdin is not None
    assert carrier.stdout is not None
    carrier.stdin.write("cut\n")
    carrier.stdin.flush()
    assert carrier.stdout.readline() == "cut\n"


def open_tunnel(space: str, address: str) -> int:
    """A device in a namespace, whose packets are read and written here."""
    library = ctypes.CDLL(None, use_errno=True)
    with open(f"/var/run/netns/{space}") as handle:
        if library.setns(handle.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns failed")
    tunnel = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tunnel, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
    for command in ("addr add {}/24 dev tun0", "link set tun0 up", "link set lo up"):
        subprocess.run(["ip", *command.format(address).split()], check=True)
    return tunnel


def carry(tunnels: Sequence[int], delay: float) -> None:
    """Carries packets until the input ends."""
    waiting: list[tuple[float, int, int, bytes]] = []
    count, is_cut = 0, False
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, tunnel, packet = heapq.heappop(waiting)
            if not is_cut:
                os.write(tunnel, packet)
        patience = waiting[0][0] - now if waiting else None
        for ready in select.select([*tunnels, 0], [], [], patience)[0]:
            if ready == 0:
                if not sys.stdin.readline():
                    return
                is_cut = True
                print("cut", flush=True)
                continue
            other = tunnels[1 - tunnels.index(ready)]
            count += 1
            packet = os.read(ready, 65536)
            heapq.heappush(waiting, (time.monotonic() + delay, count, other, packet))


if __name__ == "__main__":
    made = [open_tunnel(*each) for each in zip(SPACES, ADDRESSES, strict=True)]
    print("ready", flush=True)
    carry(made, float(sys.argv[1]))
