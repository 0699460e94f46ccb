"""Training: one model from one sealed manifest, into a folder in diffusers' layout; killed at any point, it goes on."""
