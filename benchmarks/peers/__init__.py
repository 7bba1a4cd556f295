"""What others build such a hub with, on the same work as ours: ``python -m benchmarks.peers``."""
