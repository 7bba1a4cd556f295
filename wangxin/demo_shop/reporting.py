"""The demo shop tells of its orders as any shop does: by CloudEvents to the public endpoint."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

PATIENCE_S = 10.0


class Reporter:
    """``url`` and ``key``: the endpoint for shop events, and the shop's key for it."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key

    def later(self, kind: str, member: str, order: dict[str, Any]) -> None:
        """Reports in a thread of its own: whoever bought does not wait for it."""
        threading.Thread(target=self.tell, args=(kind, member, order), daemon=True).start()

    def tell(self, kind: str, member: str, order: dict[str, Any]) -> None:
        event = {
            "specversion": "1.0", "id": str(uuid.uuid4()), "source": "/demo/orders", "type": kind, "subject": member,
            "time": datetime.now(UTC).isoformat(), "data": order,
        }  # fmt: skip
        request = urllib.request.Request(  # noqa: S310 - this installation's own address
            self._url,
            json.dumps(event).encode(),
            {"Authorization": f"Bearer {self._key}", "Content-Type": "application/cloudevents+json"},
        )
        try:
            urllib.request.urlopen(request, timeout=PATIENCE_S).close()  # noqa: S310 # nosec B310
        except OSError as why:
            sys.stderr.write(f"the demo shop's report of {kind} was not taken ({why})\n")
