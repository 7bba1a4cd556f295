"""One real hub on a TCP port: ``python -m benchmarks.hub_process <node> <port>``, stores by environment.

The only difference to ``wangxin hub``: the rate a person may send at is lifted (the check itself runs), because the
closed loop drives each conversation faster than any two people talk.
"""

from __future__ import annotations

import sys

import uvloop

from wangxin.app import run_hub
from wangxin.config import Settings
from wangxin.hub.session import FRAMES_PER_S

UNBOUND_PER_S = 100_000


def main(node: str, port: str) -> None:
    FRAMES_PER_S.update(dict.fromkeys(FRAMES_PER_S, UNBOUND_PER_S))
    uvloop.run(run_hub(Settings(), node, port=int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
