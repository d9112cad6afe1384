"""The way of one message or login through the host, hop by hop, each with its verdict and what decides it."""
