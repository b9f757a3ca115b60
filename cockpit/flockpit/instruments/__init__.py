"""Reusable views: pure functions from state to columns, and the figures that show them."""
