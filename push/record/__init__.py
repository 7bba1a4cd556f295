"""What PostgreSQL remembers of push. Plain statements; whoever calls owns the transaction."""
