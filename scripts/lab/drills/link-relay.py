"""Passes frames between the cable of a host and the bridge of its lab, not quite as a good cable would.

link-relay.py INTERFACE TAP BRIDGE, and settings as JSON: delay (milliseconds), loss, duplicate, reorder (parts of 1),
ports (of TCP over IPv4; where there are any, other frames pass as they are), seed. Writes "ready" once frames go
through it; gives the cable back to the bridge and ends when its stdin does. Needs no queueing discipline of the kernel.
"""

import fcntl, heapq, json, os, random, select, socket, struct, subprocess, sys, time

TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x2, 0x1000, 0x4000
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, ETH_P_ALL = 263, 15, 23, 3
LARGEST = 65_600
# Both ends put it before a frame: what is left to do of checksum and segmentation goes through as it came.
VNET_HEADER = 10
MOST_WAITING = 20_000

cable, tap, bridge = sys.argv[1:4]
settings = json.loads(sys.argv[4])
chance = random.Random(settings["seed"]).random
delay = settings["delay"] / 1000
ports = set(settings["ports"])


def ip(*words):
    subprocess.run(["ip", "link", "set", *words], check=True)


def open_tap():
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", tap.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    return fd


def open_cable():
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, "SO_RCVBUFFORCE") else 33, 8_388_608)
    end.bind((cable, 0))
    end.setblocking(False)
    return end


def is_meant(frame):
    """Whether a frame is one that the settings are about."""
    if not ports:
        return True
    packet = VNET_HEADER + 14
    if len(frame) < packet + 24 or frame[packet - 2 : packet] != b"\x08\x00" or frame[packet + 9] != 6:
        return False
    segment = packet + (frame[packet] & 15) * 4
    return any(port in ports for port in struct.unpack_from("!HH", frame, segment))


def moments(now):
    """When a frame is passed on: never, once or twice."""
    if chance() < settings["loss"]:
        return []
    at = now if chance() < settings["reorder"] else now + delay
    return [at, at] if chance() < settings["duplicate"] else [at]


def main():
    tap_fd, end = open_tap(), open_cable()
    ip(cable, "nomaster")
    ip(tap, "master", bridge, "up")
    print("ready", flush=True)
    waiting, count = [], 0
    # Each source, with how it is read and how what came from it goes on.
    ways = {
        tap_fd: (lambda: os.read(tap_fd, LARGEST), end.send),
        end.fileno(): (lambda: end.recv(LARGEST), lambda frame: os.write(tap_fd, frame)),
    }
    while True:
        patience = max(0, waiting[0][0] - time.monotonic()) if waiting else None
        readable = select.select([0, *ways], [], [], patience)[0]
        if 0 in readable and not os.read(0, 1):
            return
        for source in readable:
            if source == 0:
                continue
            read, write = ways[source]
            try:
                frame = read()
            except OSError:
                continue
            now = time.monotonic()
            for at in moments(now) if is_meant(frame) else [now]:
                if len(waiting) < MOST_WAITING:
                    count += 1
                    heapq.heappush(waiting, (at, count, write, frame))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, write, frame = heapq.heappop(waiting)
            try:
                write(frame)
            except OSError:
                pass  # a full queue or a cable that is unplugged loses it


try:
    main()
finally:
    ip(cable, "master", bridge)
