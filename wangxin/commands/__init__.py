"""The commands by what they are for; wangxin/cli.py puts them together."""
