"""The updates in torch, as pure functions."""
