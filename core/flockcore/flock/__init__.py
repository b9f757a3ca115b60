"""The flock layer: decaying fields, topology, heartbeats, ballots and the module tick."""
