"""Two ends of a TCP connection in one process."""

import socket


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends, connected."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    return one, other
