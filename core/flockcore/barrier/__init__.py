"""The barrier's numbers: hosts that report, a gate that holds them, its fuzz and enumeration."""
