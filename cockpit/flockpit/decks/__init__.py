"""Decks: one main view and its instruments per simulation layer."""
