"""The HTTP edge and its people, as the edge's own tests have them."""

from tests.web.api.conftest import agent, deps, merchant

__all__ = ["agent", "deps", "merchant"]
