"""The hodge layer's numbers: complexes, edge flows, their decomposition, settling, gossip."""
