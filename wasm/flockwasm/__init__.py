"""The static site: the cockpit on Pyodide, without a server."""
