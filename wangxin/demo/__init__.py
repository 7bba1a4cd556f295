"""The demo shop: believable goods, members, orders and words, and shoppers who keep its own team busy."""

from wangxin.demo.busy import shoppers
from wangxin.demo.shop import fill

__all__ = ["fill", "shoppers"]
