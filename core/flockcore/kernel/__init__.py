"""What every layer stands on: time, randomness, the network, faults and history."""
