#!/usr/bin/env python3
"""What a link carries: so many streams from one end to the other for two seconds.

usage: stream.py receive ADDRESS PORT STREAMS      prints Gbit/s of all streams together, as they came
       stream.py send ADDRESS PORT STREAMS
"""
import multiprocessing, socket, sys, time

SECONDS = 2
CHUNK = 4 << 20


def take(connection, received):
    space = bytearray(CHUNK)
    while count := connection.recv_into(space):
        received.value += count


def give(address, port):
    connection = connected(address, port)
    data = bytes(CHUNK)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        connection.send(data)
    connection.close()


def connected(address, port):
    for _ in range(100):
        try:
            return socket.create_connection((address, port))
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nobody listens at {address}:{port}")


def receive(address, port, streams):
    with socket.create_server((address, port), backlog=streams) as server:
        connections = [server.accept()[0] for _ in range(streams)]
    received = [multiprocessing.Value("q", 0, lock=False) for _ in connections]
    begin = time.monotonic()
    join([multiprocessing.Process(target=take, args=pair) for pair in zip(connections, received)])
    # what lay in the senders' buffers came too, in its time
    print(f"{sum(r.value for r in received) * 8 / (time.monotonic() - begin) / 1e9:.3f}")


def join(workers):
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    what, address, port, streams = sys.argv[1:]
    if what == "receive":
        receive(address, int(port), int(streams))
    else:
        join([multiprocessing.Process(target=give, args=(address, int(port))) for _ in range(int(streams))])
