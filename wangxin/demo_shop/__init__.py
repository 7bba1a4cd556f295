"""The demo shop's own system: a separate process that answers the shop data interface and reports its orders.

Nothing imports it, as nothing could import a merchant's server: ``python -m wangxin.demo_shop``. It uses no library, so
that its ``server.py`` reads as an example for authors of real ones.
"""
