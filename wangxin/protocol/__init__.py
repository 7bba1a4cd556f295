"""What goes over the wire: closed frames, message bodies, codec, close codes."""
