"""Transport, fault panel and share controls."""
