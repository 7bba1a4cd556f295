"""The demo shop: believable goods, members, orders and words."""
