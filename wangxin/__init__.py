"""wangxin: a customer-service hub for online shops."""

import os

__version__ = "0.1.0"

# Before numpy is loaded. With threads of its own, its library of matrices joins them at every fork, and waits for ever
# where one of them is at work: the web process forks for each picture. Our matrices are small, and processes many.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
