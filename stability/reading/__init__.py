"""A stored study as frames, and what of it is looked at: no torch, no estimates."""
