"""wangxin: a customer-service hub for online shops."""

__version__ = "0.1.0"
