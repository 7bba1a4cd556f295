"""What an agent of a provider must know and show before he serves a shop."""
