"""Rights signals: what the bytes and the server said about training, at the time of acquisition."""
