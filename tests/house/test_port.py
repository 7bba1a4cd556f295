"""Asking whether a port answers takes that port away from nobody."""

from __future__ import annotations

import socket

from wangxin.supervise import caller


def test_a_port_whose_asker_was_connected_with_itself_can_be_bound_at_once() -> None:
    """The system picks an asker's own port; on a machine with many lines it may pick the one that is asked for."""
    with caller("127.0.0.1") as asker:
        asker.bind(("127.0.0.1", 0))
        here = asker.getsockname()
        asker.connect(here)
        asker.sendall(b"anybody there?")
        assert asker.recv(64) == b"anybody there?", "the asker hears itself"
        for _ in ("while it is connected", "after it has left"):
            with socket.socket() as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind(here)
                server.listen()
            asker.close()
