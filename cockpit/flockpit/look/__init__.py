"""The visual language: tokens, the style sheet written from them, icons, themed figures."""
