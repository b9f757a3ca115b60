"""The barrier at work: fuzz campaigns on many processes or machines, and proofs for all sizes."""
