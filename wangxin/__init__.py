"""wangxin: a customer-service hub for online shops."""

import os

__version__ = "0.1.0"

# Before numpy is loaded. With threads of its own, its library of matrices joins them at every fork, and waits for ever
# where one of them is at work: the web process forks for each picture. Our matrices are small, and processes many.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Before rq is loaded. One hash tag for all keys: in a cluster, what rq does in one step lies in one slot; see
# storage/primary.py.
os.environ.setdefault("RQ_KEY_PREFIX", "{wx}:rq")
