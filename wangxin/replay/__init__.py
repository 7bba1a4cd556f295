"""Recorded conversations, driven again through real sockets."""
