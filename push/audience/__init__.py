"""Who a rule speaks to: one closed tree, compiled to SQL for crowds and to a predicate for one shopper."""
