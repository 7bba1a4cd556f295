"""``python -m wangxin`` is ``wangxin``."""

from wangxin.cli import main

main()
